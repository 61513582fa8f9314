-- Writes rows of jobs, one array for each column.
-- parameters: jobs_id, jobs_position, jobs_namespace_id, jobs_namespace, jobs_name, jobs_hidden, jobs_updated_at, jobs_registers, jobs_seen
insert into {schema}.jobs as j (id, position, namespace_id, namespace, name, hidden, updated_at, registers, seen)
select * from unnest(:jobs_id::uuid[], :jobs_position::bigint[], :jobs_namespace_id::uuid[], :jobs_namespace::text[],
                     :jobs_name::text[], :jobs_hidden::boolean[], :jobs_updated_at::timestamptz[],
                     :jobs_registers::bytea[], :jobs_seen::bigint[])
on conflict (id) do update
   set position = excluded.position, hidden = excluded.hidden, updated_at = excluded.updated_at,
       registers = excluded.registers, seen = excluded.seen
