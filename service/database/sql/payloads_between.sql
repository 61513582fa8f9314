-- Payloads with the digests their events have. $1 log, $2 first position, $3 last position.
select p.position, e.payload_digest, p.body::text
  from runfold.payloads p
  left join runfold.events e on e.log = p.log and e.position = p.position
 where p.log = $1 and p.position between $2 and $3
 order by p.position
