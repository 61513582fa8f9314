-- Makes edges current.
-- parameters: job_ids, directions, dataset_ids
update {schema}.lineage_edges e set current = true
  from unnest(:job_ids::uuid[], :directions::smallint[], :dataset_ids::uuid[]) as w (job_id, direction, dataset_id)
 where e.job_id = w.job_id and e.direction = w.direction and e.dataset_id = w.dataset_id and not e.current
