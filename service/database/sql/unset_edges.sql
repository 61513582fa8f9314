-- Takes the edges off that are not among those of the latest runs of jobs any more.
-- parameters: latest_job_ids, job_ids, directions, dataset_ids
update {schema}.lineage_edges e set current = false
  from (
      select t.job_id, t.direction, t.dataset_id
        from unnest(:latest_job_ids::uuid[]) as j (id)
        join {schema}.lineage_edges t on t.job_id = j.id and t.current
      except
      select * from unnest(:job_ids::uuid[], :directions::smallint[], :dataset_ids::uuid[])
  ) gone
 where e.job_id = gone.job_id and e.direction = gone.direction and e.dataset_id = gone.dataset_id
