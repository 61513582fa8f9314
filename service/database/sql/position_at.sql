-- The last position recorded at or before a time. $1 log, $2 time.
select runfold.position_at($1, $2)
