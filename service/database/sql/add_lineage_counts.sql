-- Counts the OpenLineage events of a page of the ledger, by namespace and hour: those after position :after, up to and
-- including position :upto.
-- parameters: log, after, upto
insert into {schema}.lineage_counts as c (log, namespace, hour, total)
select p.log, p.namespace, p.hour, p.total
  from (
      select e.log, coalesce(runfold.namespace_digest(e.namespace), '') as namespace,
             runfold.hour_of(e.transitioned_at) as hour, count(*) as total
        from runfold.events e
       where e.log = :log and e.position > :after and e.position <= :upto and e.source in ('openlineage', 'import')
       group by grouping sets ((e.log, e.namespace, runfold.hour_of(e.transitioned_at)),
                               (e.log, runfold.hour_of(e.transitioned_at)))
       order by 2, 3
  ) p
on conflict (log, namespace, hour) do update set total = c.total + excluded.total
