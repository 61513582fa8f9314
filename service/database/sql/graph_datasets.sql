-- Returns the registers of datasets in the given order, each under its primary name first and then under the others.
-- parameters: ids
select w.id, t.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select d.id, d.primary_id, d.registers from runfold.datasets d where d.primary_id = w.id offset 0) t
 order by w.n, t.id <> w.id, t.id
