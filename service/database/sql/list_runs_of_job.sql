-- Returns the runs of a job that are in one of the states (null: in any), newest first.
-- parameters: job_id, states, limit, offset
select r.id, r.registers
  from runfold.runs r
 where r.job_id = :job_id and (:states::text[] is null or r.state = any (:states))
 order by r.created_at desc, r.id desc
 limit :limit offset :offset
