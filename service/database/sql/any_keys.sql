-- Whether an API key was ever created. $1 log.
select exists (select from runfold.events e where e.log = $1 and e.subject = 'key' and e.kind = 'created')
