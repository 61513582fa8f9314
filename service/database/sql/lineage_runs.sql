-- Returns what runs of jobs read and write; the registers beyond the first :max_bytes are null.
-- parameters: run_ids, job_ids, max_bytes
select s.run_id, s.job_id, case when s.size <= :max_bytes then s.registers end as registers
  from (
      select c.run_id, c.job_id, c.registers, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:run_ids::uuid[], :job_ids::uuid[]) as w (run_id, job_id)
       cross join lateral (
           select t.run_id, t.job_id, t.registers
             from {schema}.run_datasets t where t.run_id = w.run_id and t.job_id = w.job_id offset 0
       ) c
  ) s
