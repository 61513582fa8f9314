-- Returns the names of namespaces within a binding: of jobs and of datasets, as far as they are projected, and of the events
-- after that. The nth prefix of the binding spans the names from the nth element of :lower up to that of :upper (null: all the
-- rest) in the order of characters' numbers, by the first 256 characters, which the indexes have.
-- parameters: log, lower, upper, limit
select s.name
  from (
      select t.namespace as name
        from (select b.lower, b.upper from unnest(:lower::text[], :upper::text[]) as b (lower, upper)) b
       cross join lateral (
           select n.name as namespace from runfold.namespaces n
            where left(n.name, 256) ~>=~ b.lower and (b.upper is null or left(n.name, 256) ~<~ b.upper)
            union all
           select d.name from runfold.dataset_namespaces d
            where left(d.name, 256) ~>=~ b.lower and (b.upper is null or left(d.name, 256) ~<~ b.upper)
           offset 0
       ) t
       where {within}
       union all
      select name from unnest(:names::text[]) as w (name)
       union
      select t.namespace
        from (select c.position from runfold.catalog_cursor c where c.log = :log order by c.position desc limit 1) c
       cross join lateral (
           select e.namespace from runfold.events e where e.log = :log and e.position > c.position order by e.position offset 0
       ) t
       where {within}
  ) s
 limit :limit
