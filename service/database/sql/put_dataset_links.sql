-- Adds links between the names of datasets, one array for each column.
-- parameters: dataset_ids, alias_ids, at, positions
insert into {schema}.dataset_links as l (dataset_id, alias_id, at, position)
select * from unnest(:dataset_ids::uuid[], :alias_ids::uuid[], :at::timestamptz[], :positions::bigint[])
on conflict (dataset_id, alias_id) do update
   set at = least(l.at, excluded.at), position = least(l.position, excluded.position)
 where excluded.at < l.at or excluded.position < l.position
