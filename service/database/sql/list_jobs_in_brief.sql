-- Returns jobs as list_jobs.sql does, and of each its newest runs as latest_runs.sql does, by their columns alone: a row for each
-- run, and one with nulls for a job that has none.
-- parameters: per_job
select j.namespace, j.name, j.updated_at, r.id, r.state, r.started_at, r.ended_at
  from (
{jobs}
  ) j
  left join lateral (
     select s.id, s.state, s.created_at, s.started_at, s.ended_at
       from (
           (select t.id, t.state, t.created_at, t.started_at, t.ended_at
              from runfold.runs t where t.job_id = j.id and {visible_run}
             order by t.created_at desc, t.id desc limit :per_job)
            union all
           (select t.id, t.state, m.created_at, t.started_at, t.ended_at
              from runfold.run_jobs m
             cross join lateral (select * from runfold.runs u where u.id = m.run_id offset 0) t
             where m.job_id = j.id and {visible_run}
             order by m.created_at desc, m.run_id desc limit :per_job)
       ) s
      order by s.created_at desc, s.id desc limit :per_job
  ) r on true
 order by j.updated_at desc, j.id, r.created_at desc, r.id desc
