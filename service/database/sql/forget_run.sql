-- Removes what runs read and write, and the edges between jobs and datasets, to be projected again.
-- parameters: run_ids, job_ids, dataset_ids
with runs as (
    delete from {schema}.run_datasets r where r.run_id = any(:run_ids::uuid[])
)
delete from {schema}.lineage_edges e where e.job_id = any(:job_ids::uuid[]) and e.dataset_id = any(:dataset_ids::uuid[])
