-- Returns the latest run of each job of those that read or write anything.
-- parameters: job_ids
select w.job_id, c.run_id
  from unnest(:job_ids::uuid[]) as w (job_id)
 cross join lateral (
     select t.run_id from {schema}.run_datasets t
      where t.job_id = w.job_id order by t.started_at desc, t.run_id desc limit 1
 ) c
