-- Returns the jobs that searches find, by id; the registers beyond the first :max_bytes are null.
-- parameters: ids, max_bytes
select s.id, case when s.size <= :max_bytes then s.registers end as registers
  from (
      select c.id, c.registers, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:ids::uuid[]) as w (id)
       cross join lateral (
           select t.id, t.registers from {schema}.search_entries t where t.kind = 0 and t.id = w.id offset 0
       ) c
  ) s
