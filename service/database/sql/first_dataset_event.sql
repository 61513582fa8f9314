-- Returns the position of the first event that names a dataset, by any of some names.
-- parameters: ids
select e.position
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select t.position from runfold.dataset_events t where t.dataset_id = w.id order by t.position limit 1) e
 order by e.position limit 1
