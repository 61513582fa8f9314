-- Positions of OpenLineage events by their own time. $1 log, $2 namespace (null: all), $3 from this time, $4 before this
-- time (null: no bound), $5 limit, $6 offset. {direction} and {of} are filled in when the file is loaded.
select e.position
  from runfold.events e
 where e.log = $1 and e.source in ('openlineage', 'import') and {of}
   and e.transitioned_at >= coalesce($3::timestamptz, '-infinity')
   and e.transitioned_at < coalesce($4::timestamptz, 'infinity')
 order by e.transitioned_at {direction}, e.position {direction}
 limit $5 offset $6
