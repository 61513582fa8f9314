-- Returns the datasets of which column mappings, as they are now, take columns of some datasets, under any of their names.
-- parameters: ids, most
select distinct i.dataset_id as id
  from unnest(:ids::uuid[]) as w (id)
 cross join lateral (select w.id union select t.id from {names} t) a
 cross join lateral (select c.dataset_id from runfold.column_inputs c where c.input_id = a.id offset 0) i
 limit :most
