-- Returns the registers of runs, and how many events were merged into each since its last snapshot.
-- parameters: ids
select c.id, c.registers, c.since
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select t.id, t.registers, t.since from {schema}.runs t where t.id = w.id offset 0) c
