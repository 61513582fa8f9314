-- Returns the versions of a dataset with these names, the newest first, each with the run whose event was the first to tell it, if one did.
-- parameters: ids, at, position, limit, offset
select v.dataset_id, v.version, v.created_at, v.position, e.run_id, v.content as registers
  from (
     select t.* from runfold.dataset_versions t
      where t.dataset_id = any (:ids::uuid[])
        and (:at::timestamptz is null or t.created_at <= :at) and (:position::bigint is null or t.position <= :position)
      order by t.created_at desc, t.version limit :limit offset :offset
  ) v
  left join lateral (
     select t.run_id from runfold.dataset_events t
      where t.dataset_id = v.dataset_id and t.position = v.position and t.role & 14 <> 0 offset 0
  ) e on true
 order by v.created_at desc, v.version
