-- Returns the rows of dataset_versions, for comparison.
select t.* from {schema}.dataset_versions t order by t.dataset_id, t.version
