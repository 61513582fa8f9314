-- Returns the runs of a job that are in one of the states (null: in any), newest first: its own, and those that name it in other
-- events than the one that makes it their own. Both branches are sorted by an index, and merged.
-- parameters: job_id, states, limit, offset
select r.id, r.registers
  from (
      (select t.id, t.created_at, t.registers
         from runfold.runs t
        where t.job_id = :job_id and (:states::text[] is null or t.state = any (:states)) and {visible_run}
        order by t.created_at desc, t.id desc)
       union all
      (select t.id, j.created_at, t.registers
         from runfold.run_jobs j
        cross join lateral (select * from runfold.runs s where s.id = j.run_id offset 0) t
        where j.job_id = :job_id and (:states::text[] is null or t.state = any (:states)) and {visible_run}
        order by j.created_at desc, j.run_id desc)
  ) r
 order by r.created_at desc, r.id desc
 limit :limit offset :offset
