-- Returns the numbers of OpenLineage events of each type, without those that are 0, in an order that the reader can merge by.
select c.log, c.namespace, c.quarter, c.type, pg_catalog.sum(c.total)::bigint as total
  from {schema}.event_type_counts c
 group by c.log, c.namespace, c.quarter, c.type
having pg_catalog.sum(c.total) <> 0
 order by c.log, c.namespace, c.quarter, c.type
