-- Returns the first of some names that exists: its place in the list, and the id of the node.
-- parameters: ids
select w.n, t.id
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral {node} t
 order by w.n
 limit 1
