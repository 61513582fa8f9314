alter table runfold.lineage_edges add column last_at timestamptz;
update runfold.lineage_edges e
   set last_at = coalesce((select max(d.at) from runfold.dataset_events d where d.dataset_id = e.dataset_id), e.first_at);
alter table runfold.lineage_edges alter column last_at set not null;
alter table runfold.lineage_cursor
    drop constraint lineage_cursor_pkey, add constraint lineage_cursor_pkey primary key (log);
alter table runfold.tags
    drop constraint tags_pkey, add constraint tags_pkey primary key (id);
alter table runfold.datasets
    drop constraint datasets_pkey, add constraint datasets_pkey primary key (id);
alter table runfold.sources
    drop constraint sources_pkey, add constraint sources_pkey primary key (id);
alter table runfold.column_mappings
    drop constraint column_mappings_pkey, add constraint column_mappings_pkey primary key (dataset_id, job_id);
alter table runfold.lineage_namespaces
    drop constraint lineage_namespaces_pkey, add constraint lineage_namespaces_pkey primary key (id);
alter table runfold.namespaces
    drop constraint namespaces_pkey, add constraint namespaces_pkey primary key (id);
alter table runfold.jobs
    drop constraint jobs_pkey, add constraint jobs_pkey primary key (id);
update runfold.lineage_cursor set format = least(format, 1), oldest_format = least(oldest_format, 1);
update runfold.catalog_cursor set format = least(format, 4), oldest_format = least(oldest_format, 4);
