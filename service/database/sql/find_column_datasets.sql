-- Returns the datasets that some ids mean: the ids of those that are there, and of those that only column mappings name.
-- parameters: ids, max_datasets
select w.id, t.id as shown_id, t.namespace, t.name
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
  left join lateral (select p.id from runfold.datasets p where p.id = w.id order by p.position desc limit 1) k on true
  left join lateral {dataset} v on true
  left join lateral (select d.id, d.namespace, d.name from runfold.datasets d where d.id = v.id order by d.position desc limit 1) t on true
 where t.id is not null
    or (k.id is null and exists (select from (select i.input_id from runfold.column_inputs i where i.input_id = w.id limit 1) i))
 order by w.n
 limit :max_datasets
