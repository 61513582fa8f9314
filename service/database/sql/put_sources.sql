-- Writes sources, one array for each column.
-- parameters: ids, names, positions, created_at, registers
insert into {schema}.sources as s (id, name, position, created_at, registers)
select * from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :created_at::timestamptz[], :registers::bytea[])
on conflict (id) do update
   set position = excluded.position, created_at = excluded.created_at, registers = excluded.registers
