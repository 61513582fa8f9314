-- Returns the indexes of a schema whose tables were made LIKE those of runfold, with the names of the originals: the indexes of
-- such a table get other names, and migrations refer to the original ones.
-- parameters: new_schema, tables
with indexes as (
    select schemaname, indexname, tablename,
           regexp_replace(replace(indexdef, schemaname || '.', ''), 'INDEX \S+ ON', 'INDEX ON') as shape
      from pg_indexes where schemaname in ('runfold', :new_schema) and tablename = any (:tables)
)
select new.indexname as made, old.indexname as known
  from indexes new join indexes old on old.tablename = new.tablename and old.shape = new.shape
 where new.schemaname = :new_schema and old.schemaname = 'runfold'
