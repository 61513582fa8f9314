-- Writes column mappings, one array for each column.
-- parameters: dataset_ids, job_ids, positions, registers
insert into {schema}.column_mappings as m (dataset_id, job_id, position, registers)
select * from unnest(:dataset_ids::uuid[], :job_ids::uuid[], :positions::bigint[], :registers::bytea[])
on conflict (dataset_id, job_id) do update set position = excluded.position, registers = excluded.registers
