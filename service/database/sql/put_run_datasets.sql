-- Writes what runs of jobs read and write, one array for each column.
-- parameters: run_ids, job_ids, started_at, positions, first_positions, job_versions, is_run, registers
insert into {schema}.run_datasets as r
       (run_id, job_id, started_at, position, first_position, job_version, is_run, registers)
select * from unnest(:run_ids::uuid[], :job_ids::uuid[], :started_at::timestamptz[], :positions::bigint[],
                     :first_positions::bigint[], :job_versions::uuid[], :is_run::boolean[], :registers::bytea[])
on conflict (run_id, job_id) do update
   set started_at = excluded.started_at, position = excluded.position, first_position = excluded.first_position,
       job_version = excluded.job_version, registers = excluded.registers
