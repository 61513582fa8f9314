-- Returns datasets by id, with the primary names of which they are; the registers beyond the first :max_bytes are null.
-- parameters: ids, max_bytes
select s.id, s.primary_id, case when s.size <= :max_bytes then s.registers end as registers
  from (
      select c.id, c.primary_id, c.registers, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:ids::uuid[]) as w (id)
       cross join lateral (
           select t.id, t.primary_id, t.registers
             from {schema}.datasets t where t.id = w.id order by t.position desc limit 1
       ) c
  ) s
