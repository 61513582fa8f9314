-- Adds the inputs of column mappings.
-- parameters: input_ids, dataset_ids, job_ids
insert into {schema}.column_inputs (input_id, dataset_id, job_id)
select * from unnest(:input_ids::uuid[], :dataset_ids::uuid[], :job_ids::uuid[])
on conflict do nothing
