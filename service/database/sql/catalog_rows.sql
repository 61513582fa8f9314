-- Returns the registers of rows by id.
-- parameters: ids
select c.id, c.registers
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select t.id, t.registers from {schema}.{catalog} t where t.id = w.id order by t.position desc limit 1) c
