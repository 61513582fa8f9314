-- Returns the numbers of OpenLineage events, without those that are 0, in an order that the reader can merge by.
select c.log, c.namespace, c.hour, pg_catalog.sum(c.total)::bigint as total
  from {schema}.lineage_counts c
 group by c.log, c.namespace, c.hour
having pg_catalog.sum(c.total) <> 0
 order by c.log, c.namespace, c.hour
