-- Returns whether the database has the revision of Runfold's schema, and whether it has the ledger.
select to_regclass('runfold_version') is not null as has_revision, to_regclass('runfold.events') is not null as has_ledger
