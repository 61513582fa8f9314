-- Returns a version of a job, as list_job_versions.sql does.
-- parameters: job_id, version
select r.job_version, c.started_at as created_at, r.run_id, r.is_run, r.registers
  from (select t.* from runfold.run_datasets t
         where t.job_id = :job_id and t.job_version = :version order by t.started_at desc limit 1) r
 cross join lateral (select t.started_at from runfold.run_datasets t
                      where t.job_id = :job_id and t.job_version = :version order by t.started_at limit 1) c
