-- Returns the rows of sources, for comparison.
select t.* from {schema}.sources t order by t.id
