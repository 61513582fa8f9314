-- Returns the column mappings of datasets under all of their names, by jobs that are not deleted and whose latest run still writes the
-- dataset. A DatasetEvent tells a mapping without a job.
-- parameters: ids
select w.id, m.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral {names} a
 cross join lateral (select c.job_id, c.dataset_id, c.registers from runfold.column_mappings c where c.dataset_id = a.id offset 0) m
 where {counts}
 order by w.n
