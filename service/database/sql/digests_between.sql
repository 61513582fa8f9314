-- Returns the digests of the payloads that the database has, as their events record them.
-- parameters: log, first, last
select p.position, e.payload_digest
  from runfold.payloads p
  left join runfold.events e on e.log = p.log and e.position = p.position
 where p.log = :log and p.position between :first and :last
