-- Returns the registers of a dataset under each of its names, the shown name first: `visible` is whether no deletion hides that one, its own
-- or that of its namespace. A dataset is found by each of its names.
-- parameters: id
select t.id, t.registers,
       not t.hidden and not exists (
           select from (select n.deleted from runfold.namespaces n where n.id = t.namespace_id order by n.position desc limit 1) n
            where n.deleted > t.seen
       ) as visible
  from (select p.primary_id from runfold.datasets p where p.id = :id order by p.position desc limit 1) a
 cross join lateral (select d.* from runfold.datasets d where d.primary_id = a.primary_id offset 0) t
 where {within}
 order by t.id <> t.primary_id, t.id
