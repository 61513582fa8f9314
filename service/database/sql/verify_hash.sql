-- Returns the hash at a position.
-- parameters: log, position
select e.hash from runfold.events e where e.log = :log and e.position = :position
