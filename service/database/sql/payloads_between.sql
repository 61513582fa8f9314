-- Returns payloads with the digests that their events record.
-- parameters: log, first, last
select p.position, e.payload_digest, p.body::text as body
  from runfold.payloads p
  left join runfold.events e on e.log = p.log and e.position = p.position
 where p.log = :log and p.position between :first and :last
 order by p.position
