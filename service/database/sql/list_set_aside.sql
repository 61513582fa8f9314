-- Returns the events that are left out of the catalog, oldest first.
-- parameters: log, limit
select a.position, a.subject, a.stream, a.left_out, a.reason, a.set_aside_at
  from runfold.{projection}_set_aside a
 where a.log = :log
 order by a.position
 limit :limit
