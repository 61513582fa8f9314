-- Where a stream's events have payloads. $1 log, $2 subject, $3 stream, $4 up to this position.
select e.position
  from runfold.events e
 where e.log = $1 and e.subject = $2 and e.stream = $3 and e.position <= $4 and e.payload_digest is not null
   and e.kind <> 'erased'
 order by e.position
