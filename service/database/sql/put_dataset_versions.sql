-- Writes versions of datasets, one array for each column; the content is that of the earliest event. Registers of events of one time
-- are ordered like their bytes: the phase and the digest come first. A version that is there is written only where that changes it.
-- parameters: dataset_ids, versions, created_at, positions, contents
insert into {schema}.dataset_versions as v (dataset_id, version, created_at, position, content)
select * from unnest(:dataset_ids::uuid[], :versions::uuid[], :created_at::timestamptz[], :positions::bigint[],
                     :contents::bytea[])
on conflict (dataset_id, version) do update
   set created_at = least(v.created_at, excluded.created_at), position = least(v.position, excluded.position),
       content = case when (excluded.created_at, excluded.content) < (v.created_at, v.content) then excluded.content
                      else v.content end
 where excluded.position < v.position or (excluded.created_at, excluded.content) < (v.created_at, v.content)
