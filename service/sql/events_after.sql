-- A page of the ledger in order, with payloads. $1 log, $2 after this position, $3 how many.
select e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
       e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, p.body::text
  from runfold.events e
  left join runfold.payloads p
    on e.payload_digest is not null and p.log = $1 and p.position = e.position
   and p.position > $2 and p.position <= $2 + $3
 where e.log = $1 and e.position > $2 and e.position <= $2 + $3
 order by e.position
