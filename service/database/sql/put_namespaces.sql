-- Writes rows of namespaces, one array for each column.
-- parameters: namespaces_id, namespaces_position, namespaces_name, namespaces_hidden, namespaces_registers
insert into {schema}.namespaces as n (id, position, name, hidden, registers)
select * from unnest(:namespaces_id::uuid[], :namespaces_position::bigint[], :namespaces_name::text[],
                     :namespaces_hidden::boolean[], :namespaces_registers::bytea[])
on conflict (id) do update
   set position = excluded.position, hidden = excluded.hidden, registers = excluded.registers
