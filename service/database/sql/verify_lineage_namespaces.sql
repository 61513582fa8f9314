-- Returns the rows of lineage_namespaces, for comparison.
select t.* from {schema}.lineage_namespaces t order by t.id
