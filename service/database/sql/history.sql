-- A run's events, oldest first, with payloads. $1 log, $2 run, $3 after this position, $4 up to this one, $5 how many.
-- The upper bound stands apart as in which_stream.sql.
select e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
       e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, p.body::text
  from (
     select * from runfold.events t
      where t.log = $1 and t.subject = 'run' and t.stream = $2 and t.position > $3
      order by t.position limit $5
  ) e
  left join lateral (
     select t.body from runfold.payloads t
      where e.payload_digest is not null and t.log = $1 and t.position = e.position offset 0
  ) p on true
 where e.position <= $4
 order by e.position
