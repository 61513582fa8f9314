-- Returns the rows of tags, for comparison.
select t.* from {schema}.tags t order by t.id
