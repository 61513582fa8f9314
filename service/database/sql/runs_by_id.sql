-- Returns the registers of runs, those that an API key may see.
-- parameters: ids
select t.id, t.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select r.id, r.namespace, r.registers from runfold.runs r where r.id = w.id offset 0) t
 where {within} and {visible_run}
 order by w.n
