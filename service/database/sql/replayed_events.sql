-- Returns the positions of the events of a stream whose payloads its registers hold, and of the starts of a run that came
-- without a payload: an erased START may have been later than these.
-- parameters: log, subject, stream, upto
select e.position
  from runfold.events e
 where e.log = :log and e.subject = :subject and e.stream = :stream and e.position <= :upto and e.kind <> 'erased'
   and (e.payload_digest is not null or (e.source = 'api' and e.state = 'RUNNING'))
 order by e.position
