-- Whether any payload was erased after a position. $1 log, $2 position.
select exists (select from runfold.events e where e.log = $1 and e.position > $2 and e.kind = 'erased')
