-- Returns the position up to which a run is projected, and its registers there if that is at or before :position.
-- parameters: run, position
select r.position as projected, case when r.position <= :position then r.registers end as registers
  from runfold.runs r
 where r.id = :run
