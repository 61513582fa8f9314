-- An event's hash and when it was recorded. $1 log, $2 position.
select e.hash, e.recorded_at from runfold.events e where e.log = $1 and e.position = $2
