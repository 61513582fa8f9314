-- Waits for an append under way. $1 log.
select runfold.settle($1)
