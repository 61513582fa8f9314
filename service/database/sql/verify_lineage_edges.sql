-- Returns the rows of lineage_edges, for comparison.
select t.* from {schema}.lineage_edges t order by t.job_id, t.direction, t.dataset_id
