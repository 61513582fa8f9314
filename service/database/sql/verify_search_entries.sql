-- Returns the rows of search_entries, for comparison.
select t.* from {schema}.search_entries t order by t.kind, t.id
