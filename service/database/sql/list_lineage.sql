-- Returns positions of OpenLineage events of runs by their own time: of one namespace (null: of all), from time :after on, before
-- time :before (null: no bound).
-- parameters: log, namespace, after, before, limit, offset
select e.position
  from runfold.events e
 where e.log = :log and e.source in ('openlineage', 'import') and e.subject = 'run' and {of}
   and e.transitioned_at >= coalesce(:after::timestamptz, '-infinity')
   and e.transitioned_at < coalesce(:before::timestamptz, 'infinity')
 order by e.transitioned_at {direction}, e.position {direction}
 limit :limit offset :offset
