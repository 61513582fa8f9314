-- Up to where a run is folded, and the latest registers that say nothing of what came after a position: its own row's, or
-- a snapshot's. $1 run, $2 position.
select r.position as folded, s.position, s.registers
  from runfold.runs r
  left join lateral (
      select r.position, r.registers where r.position <= $2
       union all
      (select t.position, t.registers from runfold.run_snapshots t
        where t.id = r.id and t.position <= $2 order by t.position desc limit 1)
       order by 1 desc limit 1
  ) s on true
 where r.id = $1
