-- Returns the column mappings of datasets by their jobs.
-- parameters: ids
select m.dataset_id, m.job_id, m.registers
  from runfold.column_mappings m
 where m.dataset_id = any (:ids::uuid[])
 order by m.dataset_id, m.job_id
