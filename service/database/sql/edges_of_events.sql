-- Returns the edges between jobs and datasets, of the events that are known to name these. Role: bit 1 reads, bit 2 writes.
-- parameters: log, job_ids, dataset_ids
select j.id as job_id, d.direction, e.dataset_id, min(e.at) as first_at
  from unnest(:dataset_ids::uuid[]) as w (id)
  join {schema}.dataset_events e on e.dataset_id = w.id
 cross join lateral (
     select t.namespace, t.job from runfold.events t where t.log = :log and t.position = e.position offset 0
 ) v
  join {schema}.search_entries j on j.kind = 0 and j.id = any(:job_ids::uuid[]) and j.namespace = v.namespace and j.name = v.job
 cross join (values (0, 1), (1, 2)) as d (direction, bit)
 where e.role & d.bit <> 0
 group by j.id, d.direction, e.dataset_id
