-- Returns the number of runs in each state, of all jobs; a run that names several jobs is counted for each. Reads all counters.
-- parameters: all_jobs
select c.state, sum(c.total)::bigint as total from runfold.run_counts c where c.job_id <> :all_jobs group by c.state
