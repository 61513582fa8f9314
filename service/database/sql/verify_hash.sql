-- The hash at a position. $1 log, $2 position.
select e.hash from runfold.events e where e.log = $1 and e.position = $2
