-- Adds the numbers of OpenLineage events of each type that a page has: by namespace (null: of all) and quarter of an hour. The newest
-- version of a counter is found first, as in move_run_counts.sql. upto: the position of the page's last event.
-- parameters: log, namespaces, quarters, types, totals, upto
with page as materialized (
    select w.namespace, w.quarter, w.type, w.total, c.ctid as version
      from (
          select coalesce(pg_catalog.sha256(pg_catalog.convert_to(n.namespace, 'UTF8')), '') as namespace,
                 n.quarter, n.type, n.total
            from unnest(:namespaces::text[], :quarters::bigint[], :types::smallint[], :totals::bigint[])
              as n (namespace, quarter, type, total)
      ) w
      left join lateral (
          select t.ctid from {schema}.event_type_counts t
           where t.log = :log and t.namespace = w.namespace and t.quarter = w.quarter and t.type = w.type
           order by t.position desc limit 1
      ) c on true
), moved as (
    update {schema}.event_type_counts c set total = c.total + p.total, position = :upto
      from page p
     where c.ctid = p.version
)
insert into {schema}.event_type_counts (log, namespace, quarter, type, total, position)
select :log, p.namespace, p.quarter, p.type, p.total, :upto from page p where p.version is null
