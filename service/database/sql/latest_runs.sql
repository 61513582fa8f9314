-- Returns the newest runs of each job: its own, and those that name it as in list_runs_of_job.sql.
-- parameters: job_ids, per_job
select w.id as job_id, r.id, r.registers
  from unnest(:job_ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (
     select s.id, s.created_at, s.registers
       from (
           (select t.id, t.created_at, t.registers from runfold.runs t where t.job_id = w.id and {visible_run}
             order by t.created_at desc, t.id desc limit :per_job)
            union all
           (select t.id, j.created_at, t.registers
              from runfold.run_jobs j
             cross join lateral (select * from runfold.runs u where u.id = j.run_id offset 0) t
             where j.job_id = w.id and {visible_run}
             order by j.created_at desc, j.run_id desc limit :per_job)
       ) s
      order by s.created_at desc, s.id desc limit :per_job
 ) r
 order by w.n, r.created_at desc, r.id desc
