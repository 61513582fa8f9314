-- The format of what is projected (docs/decisions/0035-catalog-formats.md): that of the program that projected last, and the oldest
-- of those that did since the catalog was made. 0: programs from before there were formats.
alter table runfold.catalog_cursor
    add column format        smallint not null default 0,
    add column oldest_format smallint not null default 0;
update runfold.catalog_cursor set format = 1, oldest_format = 1 where position = 0;

-- The position up to which processes of an earlier version ask to project: they wait for it and cannot project themselves.
create table runfold.catalog_requests (
    log      int    primary key,
    position bigint not null
);

-- The lowest revision of the programs that may use the schema as it is (null: those of its own revision), and the version of Runfold
-- that migrated it.
alter table runfold_version
    add column if not exists oldest_program varchar(32),
    add column if not exists migrated_by    text;
