-- Returns what was deleted in Marquez, and when it was last changed.
select 'namespace' as kind, n.name as namespace, null as name, n.updated_at from {marquez}.namespaces n where n.is_hidden
union all
select 'job', j.namespace_name, j.name, j.updated_at from {marquez}.jobs j where j.is_hidden and j.symlink_target_uuid is null
union all
select 'dataset', d.namespace_name, d.name, d.updated_at from {marquez}.datasets d where d.is_hidden
 order by 1, 2, 3
