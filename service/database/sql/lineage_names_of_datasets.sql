-- Returns the rows of all names of datasets, by their primary names.
-- parameters: primary_ids
select c.id, c.primary_id, c.registers
  from unnest(:primary_ids::uuid[]) as w (id)
 cross join lateral (
     select t.id, t.primary_id, t.registers from {schema}.datasets t where t.primary_id = w.id offset 0
 ) c
