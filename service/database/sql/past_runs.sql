-- Returns the runs of jobs that named datasets last, as far as is known at a position: those that are the latest at a time are among
-- them. Nothing is known at a position that happens much later, so there is a bound in time, too.
-- parameters: job_ids, at, position, per_job
select w.id, r.run_id, r.is_run, r.registers
  from unnest(:job_ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select t.run_id, t.is_run, t.started_at, t.registers
                       from runfold.run_datasets t
                      where t.job_id = w.id and t.started_at <= :at and t.first_position <= :position
                      order by t.started_at desc, t.run_id desc
                      limit :per_job) r
 order by w.n, r.started_at desc, r.run_id desc
