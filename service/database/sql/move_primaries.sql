-- Gives datasets other primary names: those that have the name of :before get that of :after.
-- parameters: before, after
update {schema}.datasets d set primary_id = w.after
  from unnest(:before::uuid[], :after::uuid[]) as w (before, after)
 where d.primary_id = w.before
