-- Rows as bytes, each field as docs/ledger-format.md wants it; no text that depends on the session.
-- $1 log, $2 first position, $3 last position.
select e.position, e.hash, e.payload_digest, e.subject, uuid_send(e.stream), e.kind, e.state,
       timestamptz_send(e.transitioned_at), timestamptz_send(e.recorded_at), e.namespace, e.job,
       uuid_send(e.parent_run), e.source, e.actor, e.fact, e.request_digest
  from runfold.events e
 where e.log = $1 and e.position between $2 and $3
 order by e.position
