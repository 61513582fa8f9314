-- Returns how registers identify the events at some positions: by time, payload digest, fact and position.
-- parameters: log, positions
select e.transitioned_at as at, e.payload_digest as digest, e.fact, e.position
  from unnest(:positions::bigint[]) as w (position)
 cross join lateral (
     select * from runfold.events t where t.log = :log and t.position = w.position offset 0
 ) e
 where e.payload_digest is not null
