-- In a database of Marquez: returns the schema of its tables, quoted as an identifier (null: there is none), and which of some columns,
-- as table.column, it lacks.
-- parameters: columns
with home as (
    select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass('lineage_events')
)
select (select quote_ident(h.nspname) from home h) as home,
       array(select w.name from unnest(:columns::text[]) as w (name)
              where not exists (select from information_schema.columns c
                                 where c.table_schema = (select h.nspname from home h)
                                   and c.table_name || '.' || c.column_name = w.name)) as missing
