-- Returns the newest runs of each job.
-- parameters: job_ids, per_job
select r.job_id, r.id, r.registers
  from unnest(:job_ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (
     select t.job_id, t.id, t.created_at, t.registers from runfold.runs t where t.job_id = w.id
      order by t.created_at desc, t.id desc limit :per_job
 ) r
 order by w.n, r.created_at desc, r.id desc
