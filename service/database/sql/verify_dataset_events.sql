-- Returns the rows of dataset_events, for comparison.
select t.* from {schema}.dataset_events t order by t.dataset_id, t.position
