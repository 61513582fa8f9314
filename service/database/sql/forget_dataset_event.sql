-- Removes that the events at some positions name datasets, and the versions that no other event tells.
-- parameters: dataset_ids, positions
with gone as (
    delete from {schema}.dataset_events e
     using unnest(:dataset_ids::uuid[]) as w (id)
     where e.dataset_id = w.id and e.position = any(:positions::bigint[])
    returning e.dataset_id, e.version
)
delete from {schema}.dataset_versions v
 using gone g
 where v.dataset_id = g.dataset_id and v.version = g.version
   and not exists (
       select from {schema}.dataset_events e
        where e.dataset_id = v.dataset_id and e.version = v.version and e.position <> all (:positions::bigint[])
   )
