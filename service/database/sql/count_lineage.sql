-- Counts OpenLineage events of runs: of one namespace (null: of all), from time :after on, before time :before (null: no bound).
-- The catalog has counters of whole hours. The events recorded after the position it is projected up to, and those in the
-- hours that the bounds cut, are counted here. All of these are of any subject; those of jobs and datasets are taken off.
-- parameters: log, namespace, after, before
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
           from runfold.lineage_counts c, whole w
          where c.log = :log and c.namespace = coalesce(runfold.namespace_digest(:namespace::text), '')
            and c.hour >= w.first and c.hour < w.last)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.position > w.position and e.source in ('openlineage', 'import') and {of}
                 and runfold.hour_of(e.transitioned_at) >= w.first and runfold.hour_of(e.transitioned_at) < w.last
              offset 0) since)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.source in ('openlineage', 'import') and {of}
                 and e.transitioned_at >= :after and e.transitioned_at < least(w.begins, :before)
              offset 0) before_them)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = :log and e.source in ('openlineage', 'import') and {of}
                 and e.transitioned_at >= greatest(w.begins, w.ends, :after) and e.transitioned_at < :before
              offset 0) after_them)
      - (select count(*)
           from runfold.events e
          where e.log = :log and e.source in ('openlineage', 'import') and e.subject <> 'run' and {of}
            and e.transitioned_at >= coalesce(:after::timestamptz, '-infinity')
            and e.transitioned_at < coalesce(:before::timestamptz, 'infinity')))::bigint as total
