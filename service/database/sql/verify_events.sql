-- Returns rows as bytes, each field in the form of docs/ledger-format.md; no text that depends on the session.
-- parameters: log, first, last
select e.position, e.hash, e.payload_digest, e.subject, pg_catalog.uuid_send(e.stream) as stream, e.kind, e.state,
       pg_catalog.timestamptz_send(e.transitioned_at) as transitioned_at,
       pg_catalog.timestamptz_send(e.recorded_at) as recorded_at, e.namespace, e.job,
       pg_catalog.uuid_send(e.parent_run) as parent_run, e.source, e.actor, e.fact, e.request_digest
  from runfold.events e
 where e.log = :log and e.position between :first and :last
 order by e.position
