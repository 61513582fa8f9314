-- Counts the runs of a job that are in one of the states (null: in any).
-- parameters: job_id, states
select coalesce(sum(c.total), 0)::bigint as total
  from runfold.run_counts c
 where c.job_id = :job_id and (:states::text[] is null or c.state = any (:states))
