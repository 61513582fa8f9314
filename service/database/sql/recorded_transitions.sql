-- Returns which of the given transitions the run API has recorded, with any Idempotency-Key or none. `n` counts them from 1.
-- Without a key, the fact is made of state and time: :facts. Those with a key are found by their time in an index that has
-- no others. The conditions on subject, state and source are applied outside, as in which_stream.sql.
-- parameters: log, runs, states, times, facts
select w.n
  from unnest(:runs::uuid[], :states::text[], :times::timestamptz[], :facts::bytea[]) with ordinality
    as w (stream, state, at, fact, n)
 where exists (
     select from (
         select t.state, t.transitioned_at, t.source from runfold.events t
          where t.log = :log and t.subject = 'run' and t.stream = w.stream and t.fact = w.fact offset 0
     ) e
      where e.state = w.state and e.transitioned_at = w.at and e.source = 'api'
 ) or exists (
     select from (
         select t.log, t.subject, t.state, t.source from runfold.events t
          where t.stream = w.stream and t.transitioned_at = w.at and t.request_digest is not null offset 0
     ) e
      where e.log = :log and e.subject = 'run' and e.state = w.state and e.source = 'api'
 )
