-- Returns the rows of column_inputs, for comparison.
select t.* from {schema}.column_inputs t order by t.input_id, t.dataset_id, t.job_id
