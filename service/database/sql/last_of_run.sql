-- Returns the last events of a run up to :upto, without payloads, newest first.
-- parameters: log, run, upto, limit
select t.position, t.subject, t.stream, t.kind, t.state, t.transitioned_at, t.recorded_at, t.namespace, t.job,
       t.parent_run, t.source, t.actor, t.fact, t.request_digest, t.payload_digest
  from runfold.events t
 where t.log = :log and t.subject = 'run' and t.stream = :run and t.position <= :upto
 order by t.position desc
 limit :limit
