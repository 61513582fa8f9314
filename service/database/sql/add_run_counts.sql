-- Adds counters of runs by job and state that are not there yet: those without a version.
-- parameters: count_jobs, count_states, count_changes, cursor
insert into {schema}.run_counts (job_id, state, total, position)
select n.job_id, n.state, n.change, :cursor::bigint
  from unnest(:count_jobs::uuid[], :count_states::text[], :count_changes::bigint[]) as n (job_id, state, change)
  left join lateral (
      select t.position from {schema}.run_counts t
       where t.job_id = n.job_id and t.state = n.state order by t.position desc limit 1
  ) c on true
 where c.position is null
