-- Returns whether an API key was ever created.
-- parameters: log
select exists (select from runfold.events e where e.log = :log and e.subject = 'key' and e.kind = 'created') as found
