-- Returns where and when the head says that the log ends, and where its rows begin and end: in one statement, so that all are of
-- one moment. The first position is 1 where there is no row.
-- parameters: log
select h.position, h.hash, pg_catalog.timestamptz_send(h.recorded_at) as recorded_at,
       least((select pg_catalog.min(e.position) from runfold.events e where e.log = :log), 1) as first_event,
       least((select pg_catalog.min(p.position) from runfold.payloads p where p.log = :log), 1) as first_payload,
       coalesce((select pg_catalog.max(e.position) from runfold.events e where e.log = :log), 0) as last_event,
       coalesce((select pg_catalog.max(p.position) from runfold.payloads p where p.log = :log), 0) as last_payload
  from runfold.ledger_head h
 where h.log = :log
 order by h.position desc
 limit 1
