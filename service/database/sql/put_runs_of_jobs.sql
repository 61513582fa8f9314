-- Removes and adds rows of runs that name jobs besides their own.
-- parameters: gone_jobs, gone_runs, jobs, runs, created
with gone as (
    delete from {schema}.run_jobs j
     using unnest(:gone_jobs::uuid[], :gone_runs::uuid[]) as g (job_id, run_id)
     where j.job_id = g.job_id and j.run_id = g.run_id
)
insert into {schema}.run_jobs as j (job_id, run_id, created_at)
select * from unnest(:jobs::uuid[], :runs::uuid[], :created::timestamptz[])
on conflict (job_id, run_id) do update set created_at = excluded.created_at
