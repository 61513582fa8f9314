-- Returns the payloads at some positions.
-- parameters: log, positions
select p.position, p.body::text as body
  from unnest(:positions::bigint[]) as w (position)
 cross join lateral (
     select t.position, t.body from runfold.payloads t where t.log = :log and t.position = w.position offset 0
 ) p
