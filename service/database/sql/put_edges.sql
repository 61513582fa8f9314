-- Writes edges, one array for each column; what is current stays so (unset_edges.sql). An edge that is there already is written only
-- where that changes it: nearly every page names the same edges.
-- parameters: job_ids, directions, dataset_ids, current, first_at
insert into {schema}.lineage_edges as e (job_id, direction, dataset_id, current, first_at)
select * from unnest(:job_ids::uuid[], :directions::smallint[], :dataset_ids::uuid[], :current::boolean[],
                     :first_at::timestamptz[])
on conflict (job_id, direction, dataset_id) do update
   set current = e.current or excluded.current, first_at = least(e.first_at, excluded.first_at)
 where excluded.current > e.current or excluded.first_at < e.first_at
