-- Parts of a statement that write sources, one array for each column (put_rows.sql).
-- parameters: ids, names, positions, created_at, registers
wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :created_at::timestamptz[], :registers::bytea[])
        as w (id, name, position, created_at, registers)
      left join lateral (
          select t.ctid from {schema}.sources t where t.id = w.id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.sources s set position = w.position, created_at = w.created_at, registers = w.registers
      from wanted w
     where s.ctid = w.version
), added as (
    insert into {schema}.sources (id, name, position, created_at, registers)
    select w.id, w.name, w.position, w.created_at, w.registers from wanted w where w.version is null
)
