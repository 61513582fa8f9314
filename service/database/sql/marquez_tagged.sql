-- Returns the tags of Marquez's jobs (kind 'job') and datasets, those of fields with the field's name.
select 'job' as kind, j.namespace_name as namespace, j.name, null as field, t.name as tag, m.tagged_at::timestamptz as tagged_at
  from {marquez}.jobs_tag_mapping m
  join {marquez}.jobs j on j.uuid = m.job_uuid
  join {marquez}.tags t on t.uuid = m.tag_uuid
 where j.symlink_target_uuid is null
union all
select 'dataset', d.namespace_name, d.name, null, t.name, m.tagged_at
  from {marquez}.datasets_tag_mapping m
  join {marquez}.datasets d on d.uuid = m.dataset_uuid
  join {marquez}.tags t on t.uuid = m.tag_uuid
union all
select 'dataset', d.namespace_name, d.name, f.name, t.name, m.tagged_at
  from {marquez}.dataset_fields_tag_mapping m
  join {marquez}.dataset_fields f on f.uuid = m.dataset_field_uuid
  join {marquez}.datasets d on d.uuid = f.dataset_uuid
  join {marquez}.tags t on t.uuid = m.tag_uuid
 order by 6, 1, 2, 3, 4, 5
