-- Returns the hash at a position, and when it was recorded, as bytes.
-- parameters: log, position
select e.hash, pg_catalog.timestamptz_send(e.recorded_at) as recorded_at from runfold.events e where e.log = :log and e.position = :position
