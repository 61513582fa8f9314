-- How registers name the events at some positions. $1 log, $2 positions.
select e.transitioned_at, e.payload_digest, e.fact
  from unnest($2::bigint[]) as w (position)
 cross join lateral (
     select * from runfold.events t where t.log = $1 and t.position = w.position offset 0
 ) e
 where e.payload_digest is not null
