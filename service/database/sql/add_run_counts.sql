-- Adds to the counters of runs by job and state.
-- parameters: count_jobs, count_states, count_changes
insert into {schema}.run_counts as c (job_id, state, total)
select * from unnest(:count_jobs::uuid[], :count_states::text[], :count_changes::bigint[])
on conflict (job_id, state) do update set total = c.total + excluded.total
