-- Counts OpenLineage events of runs of some namespaces, as count_lineage.sql does.
-- parameters: log, namespaces, after, before
with whole as materialized (
    select coalesce(ceil(extract(epoch from :after::timestamptz) / 3600)::bigint, -1000000000) as first,
           coalesce(runfold.hour_of(:before::timestamptz), 1000000000) as last,
           runfold.hour_begins(ceil(extract(epoch from :after::timestamptz) / 3600)::bigint) as begins,
           runfold.hour_begins(runfold.hour_of(:before::timestamptz)) as ends,
           c.position
      from runfold.catalog_cursor c
     where c.log = :log
     order by c.position desc
     limit 1
)
select ((select coalesce(sum(c.total), 0)
           from whole w
          cross join unnest(:namespaces::text[]) as n (namespace)
          cross join lateral (
              select t.total from runfold.lineage_counts t
               where t.log = :log and t.namespace = runfold.namespace_digest(n.namespace)
                 and t.hour >= w.first and t.hour < w.last
              offset 0) c)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.position > w.position and e.source in ('openlineage', 'import')
                 and e.namespace = any (:namespaces)
                 and runfold.hour_of(e.transitioned_at) >= w.first and runfold.hour_of(e.transitioned_at) < w.last
              offset 0) since)
      + (select count(*)
           from whole w
          cross join unnest(:namespaces::text[]) as n (namespace)
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.source in ('openlineage', 'import')
                 and left(e.namespace, 64) = left(n.namespace, 64) and e.namespace = n.namespace
                 and e.transitioned_at >= :after and e.transitioned_at < least(w.begins, :before)
              offset 0) before_them)
      + (select count(*)
           from whole w
          cross join unnest(:namespaces::text[]) as n (namespace)
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.source in ('openlineage', 'import')
                 and left(e.namespace, 64) = left(n.namespace, 64) and e.namespace = n.namespace
                 and e.transitioned_at >= greatest(w.begins, w.ends, :after) and e.transitioned_at < :before
              offset 0) after_them)
      - (select count(*)
           from unnest(:namespaces::text[]) as n (namespace)
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.source in ('openlineage', 'import') and e.subject <> 'run'
                 and left(e.namespace, 64) = left(n.namespace, 64) and e.namespace = n.namespace
                 and e.transitioned_at >= coalesce(:after::timestamptz, '-infinity')
                 and e.transitioned_at < coalesce(:before::timestamptz, 'infinity')
              offset 0) of_names))::bigint as total
