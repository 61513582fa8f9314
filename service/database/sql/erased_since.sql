-- Returns whether a payload was erased after a position.
-- parameters: log, position
select exists (select from runfold.events e where e.log = :log and e.position > :position and e.kind = 'erased') as erased
