-- Counts the versions of a dataset with these names.
-- parameters: ids, at, position
select count(*) from runfold.dataset_versions t where t.dataset_id = any (:ids::uuid[])
        and (:at::timestamptz is null or t.created_at <= :at) and (:position::bigint is null or t.position <= :position)
