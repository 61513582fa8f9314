-- Adds to the counters of runs by job and state that are there. The newest version of each is found first, by the position of
-- the page that wrote it, however many older ones there are (put_rows.sql).
-- parameters: count_jobs, count_states, count_changes, cursor
update {schema}.run_counts c set total = c.total + n.change, position = :cursor
  from unnest(:count_jobs::uuid[], :count_states::text[], :count_changes::bigint[]) as n (job_id, state, change)
 cross join lateral (
      select t.ctid from {schema}.run_counts t
       where t.job_id = n.job_id and t.state = n.state order by t.position desc limit 1
 ) newest
 where c.ctid = newest.ctid
