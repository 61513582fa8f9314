-- The dataset {name_id} under its primary name, unless a deletion up to position :known hides it: its own, where no event has named it
-- since, or that of its namespace.
-- parameters: known
(select t.id
   from (select p.primary_id from runfold.datasets p where p.id = {name_id} order by p.position desc limit 1) a
  cross join lateral (select d.* from runfold.datasets d where d.id = a.primary_id order by d.position desc limit 1) t
  where not (t.hidden and t.deleted <= :known)
    and not exists (select from (select n.deleted from runfold.namespaces n where n.id = t.namespace_id
                                             order by n.position desc limit 1) n
                     where n.deleted > t.seen and n.deleted <= :known))
