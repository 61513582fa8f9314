-- Returns the column mappings that take columns of datasets, under any of their names, as column_mappings_of.sql, with the dataset
-- that is made by each.
-- parameters: ids
select m.dataset_id as id, m.registers
  from (select distinct i.dataset_id, i.job_id
          from unnest(:ids::uuid[]) as w (id)
         cross join lateral (select w.id union select t.id from {names} t) a
         cross join lateral (select c.dataset_id, c.job_id from runfold.column_inputs c where c.input_id = a.id offset 0) i) o
 cross join lateral (select c.job_id, c.dataset_id, c.registers
                       from runfold.column_mappings c where c.dataset_id = o.dataset_id and c.job_id = o.job_id
                      order by c.position desc limit 1) m
 where {counts}
 order by m.dataset_id, m.job_id
