-- Returns a version of a dataset with these names, as list_dataset_versions.sql does.
-- parameters: ids, version
select v.dataset_id, v.version, v.created_at, v.position, e.run_id, v.content as registers
  from runfold.dataset_versions v
  left join lateral (
     select t.run_id from runfold.dataset_events t
      where t.dataset_id = v.dataset_id and t.position = v.position and t.role & 14 <> 0 offset 0
  ) e on true
 where v.dataset_id = any (:ids::uuid[]) and v.version = :version
 limit 1
