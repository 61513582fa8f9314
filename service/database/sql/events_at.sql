-- Returns the events at some positions, in order, with the payloads that the database has.
-- parameters: log, positions
select e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
       e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, p.body::text as body
  from unnest(:positions::bigint[]) as w (position)
 cross join lateral (
     select * from runfold.events t where t.log = :log and t.position = w.position offset 0
 ) e
  left join lateral (
     select t.body from runfold.payloads t where t.log = :log and t.position = w.position offset 0
 ) p on true
 order by e.position
