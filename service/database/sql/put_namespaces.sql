-- Writes rows of namespaces, one array for each column.
-- parameters: namespaces_id, namespaces_position, namespaces_name, namespaces_hidden, namespaces_registers, namespaces_deleted
insert into {schema}.namespaces as n (id, position, name, hidden, registers, deleted)
select * from unnest(:namespaces_id::uuid[], :namespaces_position::bigint[], :namespaces_name::text[],
                     :namespaces_hidden::boolean[], :namespaces_registers::bytea[], :namespaces_deleted::bigint[])
on conflict (id) do update
   set position = excluded.position, hidden = excluded.hidden, registers = excluded.registers,
       deleted = excluded.deleted
