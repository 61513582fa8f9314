-- Returns what runs read and wrote: a row for each job that their events name.
-- parameters: ids
select d.run_id, d.job_id, d.job_version, d.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select t.run_id, t.job_id, t.job_version, t.registers from runfold.run_datasets t where t.run_id = w.id offset 0) d
 order by w.n, d.job_id
