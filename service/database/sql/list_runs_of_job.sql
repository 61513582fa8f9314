-- A job's runs, newest first. $1 job id, $2 states (null: any), $3 limit, $4 offset.
select r.id, r.registers
  from runfold.runs r
 where r.job_id = $1 and ($2::text[] is null or r.state = any ($2))
 order by r.created_at desc, r.id desc
 limit $3 offset $4
