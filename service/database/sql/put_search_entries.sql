-- Writes what searches find, one array for each column.
-- parameters: ids, kinds, namespace_ids, namespaces, names, folded, words, hidden, created_at, updated_at, positions, registers
insert into {schema}.search_entries as e
       (id, kind, namespace_id, namespace, name, folded, words, hidden, created_at, updated_at, position,
        registers)
select * from unnest(:ids::uuid[], :kinds::smallint[], :namespace_ids::uuid[], :namespaces::text[], :names::text[],
                     :folded::text[], :words::text[], :hidden::boolean[], :created_at::timestamptz[],
                     :updated_at::timestamptz[], :positions::bigint[], :registers::bytea[])
on conflict (kind, id) do update
   set words = excluded.words, hidden = excluded.hidden, created_at = excluded.created_at,
       updated_at = excluded.updated_at, position = excluded.position, registers = excluded.registers
