-- Makes all names of datasets hidden, or none of them: hidden is a dataset that was deleted after the last event that names it by any name.
-- parameters: primary_ids
with wanted as (
    select t.primary_id, max(t.deleted) > max(t.seen) as hidden
      from {schema}.datasets t where t.primary_id = any(:primary_ids::uuid[]) group by t.primary_id
)
update {schema}.datasets d set hidden = w.hidden
  from wanted w
 where d.primary_id = w.primary_id and d.hidden <> w.hidden
