-- Returns namespaces by name, those of jobs and those of datasets, without the hidden ones: all, or those within a binding. A hidden one is
-- there again where an event has named a dataset of it since. `registers` is empty where only datasets are in the namespace.
-- parameters: prefix, limit, offset
select n.name, coalesce(n.registers, '') as registers, n.position, n.created_at, n.updated_at
  from (
     select coalesce(a.name, b.name) as name, a.registers, b.position, b.created_at, b.updated_at,
            coalesce(a.hidden and coalesce(a.deleted > b.position, true), false) as hidden
       from runfold.namespaces a
       full join runfold.lineage_namespaces b on b.id = a.id
  ) n
 where not n.hidden and n.name ^@ :prefix and {within}
 order by left(n.name, 256), n.name limit :limit offset :offset
