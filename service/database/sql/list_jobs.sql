-- Jobs, last heard of first. $1 namespace id (null: all), $2 states of the latest run (null: any), $3 limit, $4 offset.
select j.id, j.registers
  from runfold.jobs j
 where not j.hidden
   and ($1::uuid is null or j.namespace_id = $1)
   and ($2::text[] is null or (
           select r.state from runfold.runs r where r.job_id = j.id
            order by r.created_at desc, r.id desc limit 1) = any ($2))
 order by j.updated_at desc, j.id
 limit $3 offset $4
