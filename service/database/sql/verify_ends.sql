-- Where the head says that the log ends, and where the rows do: one statement, so both are of one moment. $1 log.
select h.position, h.hash,
       coalesce((select max(e.position) from runfold.events e where e.log = $1), 0) as last_event,
       coalesce((select max(p.position) from runfold.payloads p where p.log = $1), 0) as last_payload
  from runfold.ledger_head h
 where h.log = $1
