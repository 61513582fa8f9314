-- Parts of a statement that write tags, one array for each column (put_rows.sql).
-- parameters: ids, names, positions, registers
wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :registers::bytea[])
        as w (id, name, position, registers)
      left join lateral (
          select t.ctid from {schema}.tags t where t.id = w.id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.tags t set position = w.position, registers = w.registers
      from wanted w
     where t.ctid = w.version
), added as (
    insert into {schema}.tags (id, name, position, registers)
    select w.id, w.name, w.position, w.registers from wanted w where w.version is null
)
