alter table runfold_version drop column oldest_program, drop column migrated_by;
drop table runfold.catalog_requests;
alter table runfold.catalog_cursor
    drop column format,
    drop column oldest_format;
