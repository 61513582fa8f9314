-- Where the log ended at a time, and whether that may still change: it has not been written to since. $1 log, $2 time.
-- The row is asked for as in which_positions.sql.
select h.recorded_at <= $2 as open, p.position, e.hash, e.recorded_at
  from runfold.ledger_head h
 cross join lateral (select runfold.position_at($1, $2) as position offset 0) p
  left join lateral (
      select t.hash, t.recorded_at from runfold.events t
       where t.log = $1 and t.position between p.position and p.position order by t.position offset 0
  ) e on true
 where h.log = $1
