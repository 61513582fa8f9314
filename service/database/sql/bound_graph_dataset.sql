-- As graph_dataset.sql, for an API key that is bound to namespaces: a dataset that has its primary name in another namespace is
-- there under the first of its other names. `offset 0` keeps the search by the index on primary names.
-- parameters: known
(select t.id
   from (select p.primary_id from runfold.datasets p where p.id = {name_id} order by p.position desc limit 1) a
  cross join lateral (select d.*
                        from (select c.* from runfold.datasets c where c.primary_id = a.primary_id offset 0) d
                       where {within}
                       order by d.id <> d.primary_id, d.id
                       limit 1) t
  where not (t.hidden and t.deleted <= :known)
    and not exists (select from (select n.deleted from runfold.namespaces n where n.id = t.namespace_id
                                             order by n.position desc limit 1) n
                     where n.deleted > t.seen and n.deleted <= :known))
