-- Rows that nearly every page of events changes, and a transaction that stays open: each search for such a row by its id alone would
-- pass all the versions that it had since then. So the position is part of the key, as in 0006: a search from the end of the index
-- finds the newest version first (docs/decisions/0018-newest-version-first.md).

-- Programs of the version before write these rows with `on conflict (id)`, which needs a key that is gone. They stop as they do when a
-- newer one has projected; the locks on the cursors let a page that is under way end first. The one on the table of the second cursor,
-- whose key changes below, is taken before its row is locked: a projector that waits for the row would hold the table. Rows of format 4
-- lack nothing.
lock table runfold.lineage_cursor in exclusive mode;
update runfold.catalog_cursor
   set format = 5,
       oldest_format = case when position = 0 or (oldest_format = format and format = 4) then 5 else oldest_format end;
update runfold.lineage_cursor set format = 2, oldest_format = 2;

-- Readers go on while indexes are made. All tables are locked before the first one is changed: a reader that has locked one of them
-- would else wait for the other one, and this for the reader.
create unique index jobs_newest on runfold.jobs (id, position);
create unique index namespaces_newest on runfold.namespaces (id, position);
create unique index lineage_namespaces_newest on runfold.lineage_namespaces (id, position);
create unique index column_mappings_newest on runfold.column_mappings (dataset_id, job_id, position);
create unique index datasets_newest on runfold.datasets (id, position);
create unique index sources_newest on runfold.sources (id, position);
create unique index tags_newest on runfold.tags (id, position);
create unique index lineage_cursor_newest on runfold.lineage_cursor (log, position);
lock table runfold.lineage_cursor, runfold.jobs, runfold.datasets, runfold.namespaces, runfold.lineage_namespaces, runfold.column_mappings,
           runfold.sources, runfold.tags, runfold.lineage_edges
        in access exclusive mode;
alter table runfold.jobs
    drop constraint jobs_pkey, add constraint jobs_pkey primary key using index jobs_newest;
alter table runfold.namespaces
    drop constraint namespaces_pkey, add constraint namespaces_pkey primary key using index namespaces_newest;
alter table runfold.lineage_namespaces
    drop constraint lineage_namespaces_pkey, add constraint lineage_namespaces_pkey primary key using index lineage_namespaces_newest;
alter table runfold.column_mappings
    drop constraint column_mappings_pkey, add constraint column_mappings_pkey primary key using index column_mappings_newest;
alter table runfold.datasets
    drop constraint datasets_pkey, add constraint datasets_pkey primary key using index datasets_newest;
alter table runfold.sources
    drop constraint sources_pkey, add constraint sources_pkey primary key using index sources_newest;
alter table runfold.tags
    drop constraint tags_pkey, add constraint tags_pkey primary key using index tags_newest;
alter table runfold.lineage_cursor
    drop constraint lineage_cursor_pkey, add constraint lineage_cursor_pkey primary key using index lineage_cursor_newest;

-- The latest time of an event that tells an edge: each page wrote it, and nothing read it.
alter table runfold.lineage_edges drop column last_at;
