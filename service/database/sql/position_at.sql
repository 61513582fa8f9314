-- Returns the last position recorded at or before a time.
-- parameters: log, at
select runfold.position_at(:log, :at) as position
