-- The state of the newest run of a job j, of those that latest_runs.sql returns.
(select l.state
   from (
       (select t.state, t.created_at, t.id from runfold.runs t where t.job_id = j.id and {visible_run}
         order by t.created_at desc, t.id desc limit 1)
        union all
       (select t.state, m.created_at, t.id
          from runfold.run_jobs m
         cross join lateral (select * from runfold.runs u where u.id = m.run_id offset 0) t
         where m.job_id = j.id and {visible_run}
         order by m.created_at desc, m.run_id desc limit 1)
   ) l
  order by l.created_at desc, l.id desc limit 1)
