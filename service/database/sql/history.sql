-- Returns the events of a run, oldest first, with payloads. The upper bound is applied outside, as in which_stream.sql.
-- parameters: log, run, after, upto, limit
select e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
       e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, p.body::text as body
  from (
     select * from runfold.events t
      where t.log = :log and t.subject = 'run' and t.stream = :run and t.position > :after
      order by t.position limit :limit
  ) e
  left join lateral (
     select t.body from runfold.payloads t
      where e.payload_digest is not null and t.log = :log and t.position = e.position offset 0
  ) p on true
 where e.position <= :upto
 order by e.position
