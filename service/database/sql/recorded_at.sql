-- Returns the hash of an event and when it was recorded.
-- parameters: log, position
select e.hash, e.recorded_at from runfold.events e where e.log = :log and e.position = :position
