-- Returns which of the given transitions are recorded, with any Idempotency-Key or none. `n` counts them from 1.
-- parameters: log, runs, states, times
select w.n
  from unnest(:runs::uuid[], :states::text[], :times::timestamptz[]) with ordinality as w (stream, state, at, n)
 where exists (
     select from runfold.events e
      where e.log = :log and e.subject = 'run' and e.stream = w.stream and e.state = w.state
        and e.transitioned_at = w.at and e.source = 'api'
 )
