-- Returns where the head says that the log ends, and where its rows end: in one statement, so that both are of one moment.
-- parameters: log
select h.position, h.hash,
       coalesce((select pg_catalog.max(e.position) from runfold.events e where e.log = :log), 0) as last_event,
       coalesce((select pg_catalog.max(p.position) from runfold.payloads p where p.log = :log), 0) as last_payload
  from runfold.ledger_head h
 where h.log = :log
 order by h.position desc
 limit 1
