-- Returns how many seconds ago the first event after a position was recorded; 0 if there is none. Positions have no gaps.
-- parameters: log, projected
select greatest(0, coalesce(extract(epoch from clock_timestamp() - min(e.recorded_at)), 0))::float8 as seconds
  from runfold.events e
 where e.log = :log and e.position = :projected + 1
