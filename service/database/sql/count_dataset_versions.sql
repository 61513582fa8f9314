-- Counts the versions of a dataset with these names.
-- parameters: ids, at, position
select count(*) from runfold.dataset_versions t where t.dataset_id = any (:ids::uuid[])
        and (:at::timestamptz is null or t.created_at <= :at) and (:position::bigint is null or t.position <= :position)
        and (:at::timestamptz is null or :position::bigint is null or exists (
            select from runfold.dataset_events e
             where e.dataset_id = t.dataset_id and e.version = t.version and e.at <= :at and e.position <= :position))
