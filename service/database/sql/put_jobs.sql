-- Parts of a statement that write rows of jobs, one array for each column: each row is found by its newest version (put_rows.sql).
-- parameters: jobs_id, jobs_position, jobs_namespace_id, jobs_namespace, jobs_name, jobs_hidden, jobs_updated_at, jobs_registers, jobs_seen
jobs_wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:jobs_id::uuid[], :jobs_position::bigint[], :jobs_namespace_id::uuid[], :jobs_namespace::text[],
                  :jobs_name::text[], :jobs_hidden::boolean[], :jobs_updated_at::timestamptz[],
                  :jobs_registers::bytea[], :jobs_seen::bigint[])
        as w (id, position, namespace_id, namespace, name, hidden, updated_at, registers, seen)
      left join lateral (
          select t.ctid from {schema}.jobs t where t.id = w.id order by t.position desc limit 1
      ) c on true
), jobs_changed as (
    update {schema}.jobs j
       set position = w.position, hidden = w.hidden, updated_at = w.updated_at, registers = w.registers, seen = w.seen
      from jobs_wanted w
     where j.ctid = w.version
), jobs_added as (
    insert into {schema}.jobs (id, position, namespace_id, namespace, name, hidden, updated_at, registers, seen)
    select w.id, w.position, w.namespace_id, w.namespace, w.name, w.hidden, w.updated_at, w.registers, w.seen
      from jobs_wanted w where w.version is null
)
