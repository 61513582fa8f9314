-- Returns which versions of datasets are known, and since when.
-- parameters: dataset_ids, versions
select c.dataset_id, c.version, c.created_at, c.position
  from unnest(:dataset_ids::uuid[], :versions::uuid[]) as w (dataset_id, version)
 cross join lateral (
     select t.dataset_id, t.version, t.created_at, t.position
       from {schema}.dataset_versions t where t.dataset_id = w.dataset_id and t.version = w.version offset 0
 ) c
