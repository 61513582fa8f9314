-- Writes datasets, one array for each column.
-- parameters: ids, namespace_ids, namespaces, names, positions, primary_ids, hidden, seen, deleted, updated_at, registers
insert into {schema}.datasets as d
       (id, namespace_id, namespace, name, position, primary_id, hidden, seen, deleted, updated_at, registers)
select * from unnest(:ids::uuid[], :namespace_ids::uuid[], :namespaces::text[], :names::text[], :positions::bigint[],
                     :primary_ids::uuid[], :hidden::boolean[], :seen::bigint[], :deleted::bigint[],
                     :updated_at::timestamptz[], :registers::bytea[])
on conflict (id) do update
   set position = excluded.position, primary_id = excluded.primary_id, hidden = excluded.hidden, seen = excluded.seen,
       deleted = excluded.deleted, updated_at = excluded.updated_at, registers = excluded.registers
