-- Returns the names of datasets.
-- parameters: ids
select w.id, t.namespace, t.name
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select d.namespace, d.name from runfold.datasets d where d.id = w.id offset 0) t
