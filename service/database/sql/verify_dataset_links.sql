-- Returns the rows of dataset_links, for comparison.
select t.* from {schema}.dataset_links t order by t.dataset_id, t.alias_id
