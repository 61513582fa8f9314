-- Writes rows of jobs, one array a column.
insert into runfold.jobs as j (id, position, namespace_id, namespace, name, hidden, updated_at, registers)
select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::boolean[], $7::timestamptz[],
                     $8::bytea[])
on conflict (id) do update
   set position = excluded.position, hidden = excluded.hidden, updated_at = excluded.updated_at,
       registers = excluded.registers
