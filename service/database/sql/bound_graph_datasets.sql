-- As graph_datasets.sql, with those names that an API key may see that is bound to namespaces.
-- parameters: ids
select w.id, t.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (select p.primary_id from runfold.datasets p where p.id = w.id order by p.position desc limit 1) a
 cross join lateral (select d.* from runfold.datasets d where d.primary_id = a.primary_id offset 0) t
 where {within}
 order by w.n, t.id <> w.id, t.id
