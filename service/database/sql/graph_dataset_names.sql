-- Returns the names of datasets: of the first ones, as many as have at most :max_bytes, and at least one.
-- parameters: ids, max_bytes
select s.id, s.namespace, s.name
  from (
     select w.id, t.namespace, t.name, octet_length(t.namespace) + octet_length(t.name) as size,
            sum(octet_length(t.namespace) + octet_length(t.name)) over (order by w.n) as total
       from unnest(:ids::uuid[]) with ordinality as w (id, n)
      cross join lateral (select d.namespace, d.name from runfold.datasets d where d.id = w.id order by d.position desc limit 1) t
  ) s
 where s.total - s.size < :max_bytes
