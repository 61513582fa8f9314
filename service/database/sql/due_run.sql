-- Returns the run with the most events that are in no summary, if these are enough for one; with the position up to which the
-- catalog is projected. The cursor comes first: `runfold rebuild` locks it first, too, so neither waits for the other.
-- parameters: log
select r.id, r.since, c.position
  from (select t.position from {schema}.catalog_cursor t where t.log = :log order by t.position desc limit 1) c
 cross join {schema}.runs r
 where r.since >= {least}
 order by r.since desc
 limit 1
