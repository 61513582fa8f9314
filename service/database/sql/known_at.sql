-- Returns the last position recorded at or before a time, and whether that may still change: nothing was recorded since, so
-- an append that is under way may carry a time that has passed.
-- The row is selected as in which_positions.sql.
-- parameters: log, at
select h.recorded_at <= :at as open, p.position, e.hash, e.recorded_at
  from runfold.ledger_head h
 cross join lateral (select runfold.position_at(:log, :at) as position offset 0) p
  left join lateral (
      select t.hash, t.recorded_at from runfold.events t
       where t.log = :log and t.position between p.position and p.position order by t.position offset 0
  ) e on true
 where h.log = :log
 order by h.position desc
 limit 1
