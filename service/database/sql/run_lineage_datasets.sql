-- Returns what runs read and wrote: a row for each job that a run names.
-- parameters: run_ids
select t.run_id as id, t.job_id, t.job_version, t.registers
  from unnest(:run_ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select d.run_id, d.job_id, d.job_version, d.registers
                       from runfold.run_datasets d where d.run_id = w.id and d.is_run offset 0) t
 order by w.n, t.job_id
