-- Counts the runs of a job that are in one of the states. Counters are found by their newest versions.
-- parameters: job_id, states
select coalesce(sum(c.total), 0)::bigint as total
  from (select distinct s.state from unnest(:states::text[]) as s (state)) w
 cross join lateral (
      select t.total from runfold.run_counts t
       where t.job_id = :job_id and t.state = w.state order by t.position desc limit 1
 ) c
