-- Counts the runs of a job that are in one of the states and that a bound API key may see: all without those that it may not,
-- which are few.
select (
{count}
) - (select count(*)
      from runfold.crossing_runs c
     cross join lateral (select * from runfold.runs u where u.id = c.run_id offset 0) t
     where c.job_id = :job_id and t.state = any (:states) and not ({visible_run})) as total
