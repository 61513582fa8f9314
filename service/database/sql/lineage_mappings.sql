-- Returns the column mappings of datasets by jobs; the registers beyond the first :max_bytes are null.
-- parameters: dataset_ids, job_ids, max_bytes
select s.dataset_id, s.job_id, case when s.size <= :max_bytes then s.registers end as registers
  from (
      select c.dataset_id, c.job_id, c.registers, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:dataset_ids::uuid[], :job_ids::uuid[]) as w (dataset_id, job_id)
       cross join lateral (
           select t.dataset_id, t.job_id, t.registers
             from {schema}.column_mappings t where t.dataset_id = w.dataset_id and t.job_id = w.job_id
            order by t.position desc limit 1
       ) c
  ) s
