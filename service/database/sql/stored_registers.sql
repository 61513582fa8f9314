-- Returns the position up to which a run is projected, and the latest registers that the catalog stores for it at or before
-- :position: those of its row, or of a snapshot.
-- parameters: run, position
select r.position as projected, s.position, s.registers
  from runfold.runs r
  left join lateral (
      select r.position, r.registers where r.position <= :position
       union all
      (select t.position, t.registers from runfold.run_snapshots t
        where t.id = r.id and t.position <= :position order by t.position desc limit 1)
       order by 1 desc limit 1
  ) s on true
 where r.id = :run
