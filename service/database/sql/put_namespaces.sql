-- Parts of a statement that write rows of namespaces, one array for each column (put_rows.sql).
-- parameters: namespaces_id, namespaces_position, namespaces_name, namespaces_hidden, namespaces_registers, namespaces_deleted
namespaces_wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:namespaces_id::uuid[], :namespaces_position::bigint[], :namespaces_name::text[],
                  :namespaces_hidden::boolean[], :namespaces_registers::bytea[], :namespaces_deleted::bigint[])
        as w (id, position, name, hidden, registers, deleted)
      left join lateral (
          select t.ctid from {schema}.namespaces t where t.id = w.id order by t.position desc limit 1
      ) c on true
), namespaces_changed as (
    update {schema}.namespaces n
       set position = w.position, hidden = w.hidden, registers = w.registers, deleted = w.deleted
      from namespaces_wanted w
     where n.ctid = w.version
), namespaces_added as (
    insert into {schema}.namespaces (id, position, name, hidden, registers, deleted)
    select w.id, w.position, w.name, w.hidden, w.registers, w.deleted from namespaces_wanted w where w.version is null
)
