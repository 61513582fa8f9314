-- Sets the primary names of datasets.
-- parameters: ids, primary_ids
update {schema}.datasets d set primary_id = w.primary_id
  from unnest(:ids::uuid[], :primary_ids::uuid[]) as w (id, primary_id)
 where d.id = w.id and d.primary_id <> w.primary_id
