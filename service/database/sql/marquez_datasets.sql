-- Returns Marquez's datasets that no OpenLineage event made: none has told a facet of them, and no run of which there are events read or
-- wrote them. fields: JSON.
select d.namespace_name as namespace, d.name, d.type, d.physical_name, d.source_name, d.description, d.updated_at,
       coalesce(v.fields::jsonb,
                (select jsonb_agg(jsonb_build_object('name', f.name, 'type', f.type, 'description', f.description)
                                  order by f.created_at, f.name)
                   from {marquez}.dataset_fields f where f.dataset_uuid = d.uuid))::text as fields,
       (select s.schema_location from {marquez}.stream_versions s where s.dataset_version_uuid = v.uuid) as schema_location
  from {marquez}.datasets d
  left join {marquez}.dataset_versions v on v.uuid = d.current_version_uuid
 where not exists (select from {marquez}.dataset_facets f where f.dataset_uuid = d.uuid)
   and not exists (select from {marquez}.dataset_versions w
                    where w.dataset_uuid = d.uuid
                      and (exists (select from {marquez}.lineage_events e where e.run_uuid = w.run_uuid)
                           or exists (select from {marquez}.runs_input_mapping m
                                       join {marquez}.lineage_events e on e.run_uuid = m.run_uuid
                                      where m.dataset_version_uuid = w.uuid)))
 order by d.namespace_name, d.name
