-- Returns the registers of a job, unless it is deleted or its namespace was deleted after the last event that names the job.
-- parameters: id
select j.id, j.registers
  from (select * from runfold.jobs t where t.id = :id order by t.position desc limit 1) j
 where {visible}
