-- Returns those of some datasets that are known, with the dataset under which each is shown; null where none is.
-- parameters: ids
select w.id, t.id as shown_id, t.namespace, t.name
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select p.id from runfold.datasets p where p.id = w.id order by p.position desc limit 1) k
  left join lateral {dataset} v on true
  left join lateral (select d.id, d.namespace, d.name from runfold.datasets d where d.id = v.id order by d.position desc limit 1) t on true
