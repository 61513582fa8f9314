-- Returns the registers of rows by id, each by its newest version (put_rows.sql); those beyond the first :max_bytes are null.
-- parameters: ids, max_bytes
select s.id, case when s.size <= :max_bytes then s.registers end as registers
  from (
      select c.id, c.registers, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:ids::uuid[]) as w (id)
       cross join lateral (
           select t.id, t.registers from {schema}.{catalog} t where t.id = w.id order by t.position desc limit 1
       ) c
  ) s
