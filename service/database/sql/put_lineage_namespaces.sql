-- Parts of a statement that merge namespaces of datasets into their rows (put_rows.sql).
-- parameters: ids, names, positions, created, updated
wanted as materialized (
    select w.*, c.position as known
      from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :created::timestamptz[], :updated::timestamptz[])
        as w (id, name, position, created_at, updated_at)
      left join lateral (
          select t.position from {schema}.lineage_namespaces t where t.id = w.id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.lineage_namespaces t
       set position = greatest(t.position, w.position),
           created_at = least(t.created_at, w.created_at),
           updated_at = greatest(t.updated_at, w.updated_at)
      from wanted w
     where t.id = w.id and t.position = w.known
), added as (
    insert into {schema}.lineage_namespaces (id, name, position, created_at, updated_at)
    select w.id, w.name, w.position, w.created_at, w.updated_at from wanted w where w.known is null
)
