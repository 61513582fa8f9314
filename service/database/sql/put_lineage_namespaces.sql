-- Parts of a statement that merge namespaces of datasets into their rows (put_rows.sql).
-- parameters: ids, names, positions, created, updated
wanted as materialized (
    select w.*, c.ctid as version
      from unnest(:ids::uuid[], :names::text[], :positions::bigint[], :created::timestamptz[], :updated::timestamptz[])
        as w (id, name, position, created_at, updated_at)
      left join lateral (
          select t.ctid from {schema}.lineage_namespaces t where t.id = w.id order by t.position desc limit 1
      ) c on true
), changed as (
    update {schema}.lineage_namespaces t
       set position = greatest(t.position, w.position),
           created_at = least(t.created_at, w.created_at),
           updated_at = greatest(t.updated_at, w.updated_at)
      from wanted w
     where t.ctid = w.version
), added as (
    insert into {schema}.lineage_namespaces (id, name, position, created_at, updated_at)
    select w.id, w.name, w.position, w.created_at, w.updated_at from wanted w where w.version is null
)
