-- Removes what runs read and write, and the edges between a job and datasets, to be projected again.
-- parameters: run_ids, job_id, dataset_ids
with runs as (
    delete from {schema}.run_datasets r where r.run_id = any(:run_ids::uuid[])
)
delete from {schema}.lineage_edges e where e.job_id = :job_id::uuid and e.dataset_id = any(:dataset_ids::uuid[])
