-- As graph_names.sql, where the dataset itself may be an alias. Jobs that use a name are within the binding, or not shown.
(select t.id
   from (select p.primary_id from runfold.datasets p where p.id = {dataset_id} order by p.position desc limit 1) a
  cross join lateral (select c.id, c.namespace
                        from runfold.datasets c where c.primary_id = a.primary_id offset 0) t
  where {within})
