-- Returns the last position of a log, and the time that an event would have that is recorded now.
select h.position, greatest(h.recorded_at, clock_timestamp()) as recorded_at
  from (
{head}
  ) h
