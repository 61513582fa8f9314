-- Merges namespaces of datasets into their rows.
-- parameters: ids, names, positions, created, updated
insert into {schema}.lineage_namespaces as t (id, name, position, created_at, updated_at)
select * from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :created::timestamptz[], :updated::timestamptz[])
on conflict (id) do update
   set position = greatest(t.position, excluded.position),
       created_at = least(t.created_at, excluded.created_at),
       updated_at = greatest(t.updated_at, excluded.updated_at)
