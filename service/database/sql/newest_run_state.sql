-- The state of the newest run of a job j, of those that latest_runs.sql returns.
(select l.state
   from (
       (select r.state, r.created_at, r.id from runfold.runs r where r.job_id = j.id
         order by r.created_at desc, r.id desc limit 1)
        union all
       (select r.state, m.created_at, r.id
          from runfold.run_jobs m
         cross join lateral (select * from runfold.runs u where u.id = m.run_id offset 0) r
         where m.job_id = j.id
         order by m.created_at desc, m.run_id desc limit 1)
   ) l
  order by l.created_at desc, l.id desc limit 1)
