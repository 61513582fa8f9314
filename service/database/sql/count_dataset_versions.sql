-- Counts the versions of a dataset with these names.
-- parameters: ids
select count(*) from runfold.dataset_versions t where t.dataset_id = any (:ids::uuid[])
