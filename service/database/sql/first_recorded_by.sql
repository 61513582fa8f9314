-- Returns when the first event of a log was recorded, if it was recorded for an actor.
-- parameters: log, actor
select e.recorded_at from runfold.events e where e.log = :log and e.position = 1 and e.actor = :actor
