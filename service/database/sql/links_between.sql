-- Returns the links from or to some names of datasets.
-- parameters: dataset_ids
select l.dataset_id, l.alias_id from {schema}.dataset_links l
 where l.dataset_id = any(:dataset_ids::uuid[]) or l.alias_id = any(:dataset_ids::uuid[])
