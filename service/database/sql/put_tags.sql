-- Writes tags, one array for each column.
-- parameters: ids, names, positions, registers
insert into {schema}.tags as t (id, name, position, registers)
select * from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :registers::bytea[])
on conflict (id) do update set position = excluded.position, registers = excluded.registers
