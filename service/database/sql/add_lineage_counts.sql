-- Counts the OpenLineage events of a page of the ledger, by namespace and hour: those after position :after, up to and
-- including position :upto. It computes what runfold.namespace_digest and runfold.hour_of do, with built-in functions only,
-- because verification must not trust functions of the database. The newest version of a counter is found first, as in
-- move_run_counts.sql.
-- parameters: log, after, upto
with page as materialized (
    select p.log, p.namespace, p.hour, p.total, c.ctid as version
      from (
          select h.log, coalesce(pg_catalog.sha256(pg_catalog.convert_to(h.namespace, 'UTF8')), '') as namespace,
                 h.hour, count(*) as total
            from (
                select e.log, e.namespace,
                       pg_catalog.floor(extract(epoch from e.transitioned_at) / 3600)::bigint as hour
                  from runfold.events e
                 where e.log = :log and e.position > :after and e.position <= :upto
                   and e.source in ('openlineage', 'import')
            ) h
           group by grouping sets ((h.log, h.namespace, h.hour), (h.log, h.hour))
           order by 2, 3
      ) p
      left join lateral (
          select t.ctid from {schema}.lineage_counts t
           where t.log = p.log and t.namespace = p.namespace and t.hour = p.hour order by t.position desc limit 1
      ) c on true
), moved as (
    update {schema}.lineage_counts c set total = c.total + p.total, position = :upto
      from page p
     where c.ctid = p.version
)
insert into {schema}.lineage_counts (log, namespace, hour, total, position)
select p.log, p.namespace, p.hour, p.total, :upto from page p where p.version is null
