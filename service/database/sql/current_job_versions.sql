-- Returns the version of each job that its latest run has, of those that name datasets.
-- parameters: ids
select w.id, r.job_version
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select t.job_version from runfold.run_datasets t
                      where t.job_id = w.id order by t.started_at desc, t.run_id desc limit 1) r
