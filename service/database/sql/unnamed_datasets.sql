-- Returns those of some datasets that no event names any more.
-- parameters: dataset_ids
select w.id
  from unnest(:dataset_ids::uuid[]) as w (id)
 where not exists (select from {schema}.dataset_events e where e.dataset_id = w.id)
   and not exists (select from {schema}.dataset_links l where l.alias_id = w.id)
