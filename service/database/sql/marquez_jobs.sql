-- Returns Marquez's jobs that no OpenLineage event made, neither by its own name nor as a parent. inputs, outputs: JSON arrays of
-- {namespace, name}.
select j.namespace_name as namespace, j.name, j.type, j.description, j.current_location as location, j.updated_at,
       coalesce(m.inputs, j.current_inputs::jsonb, '[]')::text as inputs, coalesce(m.outputs, '[]')::text as outputs
  from {marquez}.jobs j
 cross join lateral (
     select jsonb_agg(jsonb_build_object('namespace', d.namespace_name, 'name', d.name)) filter (where i.io_type = 'INPUT') as inputs,
            jsonb_agg(jsonb_build_object('namespace', d.namespace_name, 'name', d.name)) filter (where i.io_type = 'OUTPUT') as outputs
       from {marquez}.job_versions_io_mapping i
       join {marquez}.datasets d on d.uuid = i.dataset_uuid
      where i.job_version_uuid = j.current_version_uuid
 ) m
 where j.symlink_target_uuid is null
   and not exists (select from {marquez}.lineage_events e
                    where e.job_name in (j.name, j.simple_name) and e.job_namespace = j.namespace_name)
   and not exists (select from {marquez}.jobs c where c.parent_job_uuid = j.uuid)
 order by j.namespace_name, j.name
