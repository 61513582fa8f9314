-- Returns the last position of a log, the time that an event would have that is recorded now, and the position up to which a
-- process of an earlier version asks to project (null: none).
select h.position, greatest(h.recorded_at, clock_timestamp()) as recorded_at,
       (select r.position from runfold.catalog_requests r where r.log = :log) as requested
  from (
{head}
  ) h
