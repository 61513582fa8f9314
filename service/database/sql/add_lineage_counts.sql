-- Counts the OpenLineage events of a page of the ledger, by namespace and hour: those after position :after, up to and
-- including position :upto. It computes what runfold.namespace_digest and runfold.hour_of do, with built-in functions only,
-- because verification must not trust functions of the database.
-- parameters: log, after, upto
insert into {schema}.lineage_counts as c (log, namespace, hour, total)
select p.log, p.namespace, p.hour, p.total
  from (
      select h.log, coalesce(pg_catalog.sha256(pg_catalog.convert_to(h.namespace, 'UTF8')), '') as namespace,
             h.hour, count(*) as total
        from (
            select e.log, e.namespace, pg_catalog.floor(extract(epoch from e.transitioned_at) / 3600)::bigint as hour
              from runfold.events e
             where e.log = :log and e.position > :after and e.position <= :upto and e.source in ('openlineage', 'import')
        ) h
       group by grouping sets ((h.log, h.namespace, h.hour), (h.log, h.hour))
       order by 2, 3
  ) p
on conflict (log, namespace, hour) do update set total = c.total + excluded.total
