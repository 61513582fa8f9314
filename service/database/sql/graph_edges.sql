-- Returns the inputs and outputs of jobs, the first jobs first, at most :max_edges altogether: the last job may lack some.
-- parameters: job_ids, all_edges, max_edges
select f.job_id,
       coalesce(array_agg(distinct f.dataset_id) filter (where f.direction = 0), array[]::uuid[]) as inputs,
       coalesce(array_agg(distinct f.dataset_id) filter (where f.direction = 1), array[]::uuid[]) as outputs,
       sum(count(*)) over () as found
  from (
     select w.id as job_id, w.n, e.direction, d.id as dataset_id
       from unnest(:job_ids::uuid[]) with ordinality as w (id, n)
      cross join lateral (select t.direction, t.dataset_id
                            from runfold.lineage_edges t
                           where t.job_id = w.id and (t.current or :all_edges)
                          offset 0) e
      cross join lateral {dataset} d
      limit :max_edges
  ) f
 group by f.n, f.job_id
 order by f.n
