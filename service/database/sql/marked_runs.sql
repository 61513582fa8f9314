-- Returns the number of runs with each mark. Counters are found by their newest versions.
-- parameters: all_jobs, marks
select w.mark, c.total
  from unnest(:marks::text[]) as w (mark)
 cross join lateral (
      select t.total from runfold.run_counts t
       where t.job_id = :all_jobs and t.state = w.mark order by t.position desc limit 1
 ) c
