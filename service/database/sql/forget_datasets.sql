-- Removes datasets, to be projected again.
-- parameters: dataset_ids
with links as (
    delete from {schema}.dataset_links l where l.dataset_id = any(:dataset_ids::uuid[])
), versions as (
    delete from {schema}.dataset_versions v where v.dataset_id = any(:dataset_ids::uuid[])
), mappings as (
    delete from {schema}.column_mappings m where m.dataset_id = any(:dataset_ids::uuid[])
), inputs as (
    delete from {schema}.column_inputs i where i.dataset_id = any(:dataset_ids::uuid[])
), entries as (
    delete from {schema}.search_entries e where e.kind = 1 and e.id = any(:dataset_ids::uuid[])
)
delete from {schema}.datasets d where d.id = any(:dataset_ids::uuid[])
