-- Adds to the counters. $1 jobs, $2 states, $3 by how many.
insert into runfold.run_counts as c (job_id, state, total)
select * from unnest($1::uuid[], $2::text[], $3::bigint[])
on conflict (job_id, state) do update set total = c.total + excluded.total
