-- Removes and adds rows of runs that name jobs of several namespaces. The ids of the namespaces of a row are one text each,
-- separated by commas.
-- parameters: gone_runs, gone_jobs, runs, jobs, namespaces
with gone as (
    delete from {schema}.crossing_runs c
     using unnest(:gone_runs::uuid[], :gone_jobs::uuid[]) as g (run_id, job_id)
     where c.run_id = g.run_id and c.job_id = g.job_id
)
insert into {schema}.crossing_runs as c (run_id, job_id, namespaces)
select w.run_id, w.job_id, pg_catalog.string_to_array(w.namespaces, ',')::uuid[]
  from unnest(:runs::uuid[], :jobs::uuid[], :namespaces::text[]) as w (run_id, job_id, namespaces)
on conflict (run_id, job_id) do update set namespaces = excluded.namespaces
