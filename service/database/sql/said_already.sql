-- Which of some transitions are recorded already, whatever key they came with. $1 log, $2 runs, $3 states, $4 times.
select w.n
  from unnest($2::uuid[], $3::text[], $4::timestamptz[]) with ordinality as w (stream, state, at, n)
 where exists (
     select from runfold.events e
      where e.log = $1 and e.subject = 'run' and e.stream = w.stream and e.state = w.state
        and e.transitioned_at = w.at and e.source = 'api'
 )
