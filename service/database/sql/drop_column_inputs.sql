-- Removes the inputs of column mappings, before others are written.
-- parameters: dataset_ids, job_ids
delete from {schema}.column_inputs c
 using unnest(:dataset_ids::uuid[], :job_ids::uuid[]) as w (dataset_id, job_id)
 where c.dataset_id = w.dataset_id and c.job_id = w.job_id
