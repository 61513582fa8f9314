-- Returns what a run reads and writes, of each of its jobs.
-- parameters: run_ids
select t.run_id, t.job_id, t.registers from {schema}.run_datasets t where t.run_id = any(:run_ids::uuid[])
