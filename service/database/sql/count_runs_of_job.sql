-- $1 job id, $2 states (null: any).
select coalesce(sum(c.total), 0)::bigint
  from runfold.run_counts c
 where c.job_id = $1 and ($2::text[] is null or c.state = any ($2))
