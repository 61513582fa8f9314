-- Returns the run with the most events that are in no summary, if these are enough for one; with the position up to which the
-- catalog is projected.
-- parameters: log
select r.id, r.since, c.position
  from {schema}.runs r
 cross join lateral (
      select t.position from {schema}.catalog_cursor t where t.log = :log order by t.position desc limit 1
 ) c
 where r.since >= {least}
 order by r.since desc
 limit 1
