-- Returns the rows of run_datasets, for comparison.
select t.* from {schema}.run_datasets t order by t.run_id, t.job_id
