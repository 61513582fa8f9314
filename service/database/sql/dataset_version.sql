-- Returns a version of a dataset with these names, as list_dataset_versions.sql does.
-- parameters: ids, version
select v.dataset_id, v.version, v.created_at, v.created_at as known_at, v.position, e.run_id, v.content as registers
  from runfold.dataset_versions v
  left join lateral ({creator}) e on true
 where v.dataset_id = any (:ids::uuid[]) and v.version = :version
 limit 1
