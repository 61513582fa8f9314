-- Returns the rows of column_mappings, for comparison.
select t.* from {schema}.column_mappings t order by t.dataset_id, t.job_id
