-- Returns the rows of datasets, for comparison.
select t.* from {schema}.datasets t order by t.id
