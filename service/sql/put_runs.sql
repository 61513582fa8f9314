-- Writes rows of runs, one array a column.
insert into runfold.runs as r
       (id, position, job_id, namespace, job, state, created_at, started_at, ended_at, parent_run, registers)
select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::bytea[])
on conflict (id) do update
   set position = excluded.position, job_id = excluded.job_id, namespace = excluded.namespace, job = excluded.job,
       state = excluded.state, created_at = excluded.created_at, started_at = excluded.started_at,
       ended_at = excluded.ended_at, parent_run = excluded.parent_run, registers = excluded.registers
