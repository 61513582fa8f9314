-- Returns the positions of the events that name datasets, or that tell other names of which these are.
-- parameters: dataset_ids
select distinct e.position
  from (
      select w.id from unnest(:dataset_ids::uuid[]) as w (id)
      union
      select l.dataset_id from unnest(:dataset_ids::uuid[]) as w (id) join {schema}.dataset_links l on l.alias_id = w.id
  ) d
  join {schema}.dataset_events e on e.dataset_id = d.id
 order by e.position
