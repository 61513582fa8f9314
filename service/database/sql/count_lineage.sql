-- How many OpenLineage events there are. $1 log, $2 namespace (null: all), $3 from this time, $4 before this time (null:
-- no bound). Whole hours are counted already, as far as the catalog is folded; what was recorded since, and what lies in
-- the hours that the bounds cut, is counted here. {of} is filled in when the file is loaded.
with whole as materialized (
    select coalesce(ceil(extract(epoch from $3::timestamptz) / 3600)::bigint, -1000000000) as first,
           coalesce(runfold.hour_of($4::timestamptz), 1000000000) as last,
           runfold.hour_begins(ceil(extract(epoch from $3::timestamptz) / 3600)::bigint) as begins,
           runfold.hour_begins(runfold.hour_of($4::timestamptz)) as ends,
           c.position
      from runfold.catalog_cursor c
     where c.log = $1
)
select ((select coalesce(sum(c.total), 0)
           from runfold.lineage_counts c, whole w
          where c.log = $1 and c.namespace = coalesce(runfold.namespace_digest($2::text), '')
            and c.hour >= w.first and c.hour < w.last)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = $1 and e.position > w.position and e.source in ('openlineage', 'import') and {of}
                 and runfold.hour_of(e.transitioned_at) >= w.first and runfold.hour_of(e.transitioned_at) < w.last
              offset 0) since)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = $1 and e.source in ('openlineage', 'import') and {of}
                 and e.transitioned_at >= $3 and e.transitioned_at < least(w.begins, $4)
              offset 0) before_them)
      + (select count(*)
           from whole w
          cross join lateral (
              select from runfold.events e
               where e.log = $1 and e.source in ('openlineage', 'import') and {of}
                 and e.transitioned_at >= greatest(w.begins, w.ends, $3) and e.transitioned_at < $4
              offset 0) after_them))::bigint
