-- Adds the events that name datasets, one array for each column.
-- parameters: dataset_ids, positions, at, roles, run_ids, versions
insert into {schema}.dataset_events (dataset_id, position, at, role, run_id, version)
select * from unnest(:dataset_ids::uuid[], :positions::bigint[], :at::timestamptz[], :roles::smallint[], :run_ids::uuid[],
                     :versions::uuid[])
on conflict (dataset_id, position) do nothing
