-- The payloads at some positions. $1 log, $2 positions.
select p.position, p.body::text
  from unnest($2::bigint[]) as w (position)
 cross join lateral (
     select t.position, t.body from runfold.payloads t where t.log = $1 and t.position = w.position offset 0
 ) p
