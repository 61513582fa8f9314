-- Writes rows of runs, all in one array. `inferred` is left as it is: see mark_inferred.sql.
-- parameters: rows
insert into {schema}.runs as r
       (id, position, job_id, namespace, job, state, created_at, started_at, ended_at, parent_run, registers, since,
        contradicted, restarted, inferred)
select w.*, false from unnest(:rows::runfold.run_row[]) as w
on conflict (id) do update
   set position = excluded.position, job_id = excluded.job_id, namespace = excluded.namespace, job = excluded.job,
       state = excluded.state, created_at = excluded.created_at, started_at = excluded.started_at,
       ended_at = excluded.ended_at, parent_run = excluded.parent_run, registers = excluded.registers,
       since = excluded.since, contradicted = excluded.contradicted, restarted = excluded.restarted
