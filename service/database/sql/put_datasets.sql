-- Parts of a statement that write datasets, one array for each column (put_rows.sql).
-- parameters: ids, namespace_ids, namespaces, names, positions, primary_ids, hidden, seen, deleted, updated_at, registers
wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:ids::uuid[], :namespace_ids::uuid[], :namespaces::text[], :names::text[], :positions::bigint[],
                  :primary_ids::uuid[], :hidden::boolean[], :seen::bigint[], :deleted::bigint[],
                  :updated_at::timestamptz[], :registers::bytea[])
        as w (id, namespace_id, namespace, name, position, primary_id, hidden, seen, deleted, updated_at, registers)
      left join lateral (
          select t.ctid from {schema}.datasets t where t.id = w.id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.datasets d
       set position = w.position, primary_id = w.primary_id, hidden = w.hidden, seen = w.seen, deleted = w.deleted,
           updated_at = w.updated_at, registers = w.registers
      from wanted w
     where d.ctid = w.version
), added as (
    insert into {schema}.datasets
           (id, namespace_id, namespace, name, position, primary_id, hidden, seen, deleted, updated_at, registers)
    select w.id, w.namespace_id, w.namespace, w.name, w.position, w.primary_id, w.hidden, w.seen, w.deleted,
           w.updated_at, w.registers
      from wanted w where w.version is null
)
