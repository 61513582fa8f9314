-- Returns the contents of all versions of datasets.
-- parameters: dataset_ids
select v.dataset_id, v.content from {schema}.dataset_versions v where v.dataset_id = any(:dataset_ids::uuid[])
