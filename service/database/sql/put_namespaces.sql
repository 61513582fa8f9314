-- Writes rows of namespaces, one array a column.
insert into runfold.namespaces as n (id, position, name, hidden, registers)
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::boolean[], $5::bytea[])
on conflict (id) do update
   set position = excluded.position, hidden = excluded.hidden, registers = excluded.registers
