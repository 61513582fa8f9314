-- Returns whether the database has the table of the schema's revision, whether it has the ledger, and whether a comment on the
-- schema has the revision, from which a migration creates that table.
select to_regclass('runfold_version') is not null as has_revision, to_regclass('runfold.events') is not null as has_ledger,
       coalesce(obj_description(to_regnamespace('runfold'), 'pg_namespace') ~ '^Runfold, revision \w+$', false) as is_noted
