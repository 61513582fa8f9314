-- Returns the versions of a job, the newest first, each with what the latest run of it read and wrote. The versions are found one by one in
-- the index, at most :most; a list of all of the job's runs would take as long as it has runs.
-- parameters: job_id, most, limit, offset
with recursive v as (
    (select t.job_version, 1 as n from runfold.run_datasets t where t.job_id = :job_id order by t.job_version limit 1)
     union all
    select w.job_version, v.n + 1
      from v
     cross join lateral (select t.job_version from runfold.run_datasets t
                          where t.job_id = :job_id and t.job_version > v.job_version order by t.job_version limit 1) w
     where v.n < :most
), dated as (
    select v.job_version, c.started_at as created_at
      from v
     cross join lateral (select t.started_at from runfold.run_datasets t
                          where t.job_id = :job_id and t.job_version = v.job_version order by t.started_at limit 1) c
     order by c.started_at desc, v.job_version limit :limit offset :offset
)
select d.job_version, d.created_at, r.run_id, r.is_run, r.registers
  from dated d
 cross join lateral (select t.run_id, t.is_run, t.registers from runfold.run_datasets t
                      where t.job_id = :job_id and t.job_version = d.job_version order by t.started_at desc limit 1) r
 order by d.created_at desc, d.job_version
