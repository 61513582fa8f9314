-- Returns positions of OpenLineage events of runs of some namespaces by their own time, from time :after on, before time :before
-- (null: no bound).
-- parameters: log, namespaces, after, before, limit, offset
select e.position
  from unnest(:namespaces::text[]) as w (namespace)
 cross join lateral (
     select t.position, t.transitioned_at
       from runfold.events t
      where t.log = :log and t.source in ('openlineage', 'import') and t.subject = 'run'
        and left(t.namespace, 64) = left(w.namespace, 64) and t.namespace = w.namespace
        and t.transitioned_at >= coalesce(:after::timestamptz, '-infinity')
        and t.transitioned_at < coalesce(:before::timestamptz, 'infinity')
      order by t.transitioned_at {direction}, t.position {direction}
      limit :limit + :offset::bigint
 ) e
 order by e.transitioned_at {direction}, e.position {direction}
 limit :limit offset :offset
