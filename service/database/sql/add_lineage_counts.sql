-- Counts the OpenLineage events of a page of the ledger. $1 log, $2 after this position, $3 up to this one.
insert into runfold.lineage_counts as c (log, namespace, hour, total)
select p.log, p.namespace, p.hour, p.total
  from (
      select e.log, coalesce(runfold.namespace_digest(e.namespace), '') as namespace,
             runfold.hour_of(e.transitioned_at) as hour, count(*) as total
        from runfold.events e
       where e.log = $1 and e.position > $2 and e.position <= $3 and e.source in ('openlineage', 'import')
       group by grouping sets ((e.log, e.namespace, runfold.hour_of(e.transitioned_at)),
                               (e.log, runfold.hour_of(e.transitioned_at)))
       order by 2, 3
  ) p
on conflict (log, namespace, hour) do update set total = c.total + excluded.total
