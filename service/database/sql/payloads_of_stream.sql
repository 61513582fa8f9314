-- Returns the positions of the events of a stream that came with a payload.
-- parameters: log, subject, stream, upto
select e.position
  from runfold.events e
 where e.log = :log and e.subject = :subject and e.stream = :stream and e.position <= :upto and e.payload_digest is not null
   and e.kind <> 'erased'
 order by e.position
