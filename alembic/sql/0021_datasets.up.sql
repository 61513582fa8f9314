-- Datasets, their versions, and the lineage graph (docs/decisions/0041-datasets-and-lineage.md). All of it is derived from the ledger by a
-- projection with a cursor of its own: lists of runs never wait for it, and an existing ledger is projected in the background.

-- Payloads of definitions of sources and tags may be erased like those of datasets.
-- Replaces a condition of the function, whatever the rest of it is by now: earlier migrations may have replaced it.
do $change$
declare
    before text := pg_get_functiondef('runfold.erase_payloads(int, bigint[], text, text)'::regprocedure);
    after  text := replace(before, $$'namespace', 'dataset')$$, $$'namespace', 'dataset', 'source', 'tag')$$);
begin
    if after = before then
        raise exception 'runfold.erase_payloads does not look for subjects as expected';
    end if;
    execute after;
end
$change$;

-- Jobs have tags since format 4. Programs of the version before would project on without them: they stop as they do when a newer one
-- has projected. No event before this has a tag of a job, so a catalog of format 3 lacks nothing.
update runfold.catalog_cursor
   set format = 4,
       oldest_format = case when position = 0 or (oldest_format = format and format = 3) then 4 else oldest_format end;

-- As runfold.catalog_cursor: the position up to which events are projected, and the formats of the programs that did.
create table runfold.lineage_cursor (
    log           int      primary key,
    position      bigint   not null,
    format        smallint not null default 0,
    oldest_format smallint not null default 0
);
insert into runfold.lineage_cursor (log, position) values (0, 0);

-- As runfold.catalog_set_aside: what could not be projected.
create table runfold.lineage_set_aside (like runfold.catalog_set_aside including all);

-- A dataset under each of its names. primary_id: the dataset whose alias it is, or its own id (symlinks).
-- hidden: deleted, and named by no event since. registers: DatasetRegisters.
create table runfold.datasets (
    id           uuid        primary key,    -- dataset_id(namespace, name): a job may have the same
    namespace_id uuid        not null,
    namespace    text        not null,
    name         text        not null,
    position     bigint      not null,       -- of the last event that names it
    primary_id   uuid        not null,
    hidden       boolean     not null,       -- the same for all names of a dataset: seen and deleted are compared over all
    seen         bigint      not null,
    deleted      bigint      not null,
    updated_at   timestamptz not null,       -- the latest time of an event that names it
    registers    bytea       not null
) with (fillfactor = 80);
-- left(): a name can be too long for an index entry.
create index datasets_by_name on runfold.datasets (left(name, 200) collate "C", id) where not hidden and id = primary_id;
create index datasets_of_namespace on runfold.datasets (namespace_id, left(name, 200) collate "C", id)
 where not hidden and id = primary_id;
create index datasets_by_primary on runfold.datasets (primary_id);

-- The namespaces of datasets: position: of the last event that names a dataset of it; times: of the earliest and the latest one.
create table runfold.lineage_namespaces (
    id         uuid        primary key,   -- namespace_id(name)
    name       text        not null,
    position   bigint      not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

-- A symlink: the dataset in whose facet it stands, and the other name. Links only come; none is ever removed.
create table runfold.dataset_links (
    dataset_id uuid        not null,
    alias_id   uuid        not null,
    at         timestamptz not null,   -- the earliest event that tells it
    position   bigint      not null,
    primary key (dataset_id, alias_id)
);
create index dataset_links_of_alias on runfold.dataset_links (alias_id);

-- Each event that names a dataset. role, as bits: 1 a run read it, 2 a run wrote it, 4 a DatasetEvent, 8 a command, 16 a JobEvent or
-- definition of a job names it. version: that of the content that the event itself tells (null: it tells no schema).
create table runfold.dataset_events (
    dataset_id uuid        not null,
    position   bigint      not null,
    at         timestamptz not null,
    role       smallint    not null,
    run_id     uuid,
    version    uuid,
    primary key (dataset_id, position)
);
-- The last version that was told until a time: of those that write or define it, or of those that read it, however many do.
create index dataset_events_written on runfold.dataset_events (dataset_id, at desc, position desc)
 where version is not null and role & 14 <> 0;
create index dataset_events_read on runfold.dataset_events (dataset_id, at desc, position desc)
 where version is not null and role & 14 = 0;
-- Which run wrote what another one read, and which runs read what it wrote: the last before, or the next after, a time.
create index dataset_events_by_role on runfold.dataset_events (dataset_id, role, at desc, position desc);

-- The content of a version of a dataset (VersionContent); when it was current is in runfold.dataset_events.
create table runfold.dataset_versions (
    dataset_id uuid        not null,
    version    uuid        not null,
    created_at timestamptz not null,   -- the earliest time of an event that tells it
    position   bigint      not null,   -- the first that told it
    content    bytea       not null,
    primary key (dataset_id, version)
);
create index dataset_versions_by_time on runfold.dataset_versions (dataset_id, created_at desc, version);

-- What a run of a job read and wrote: RunDatasets. A JobEvent or definition of a job is a run of its own, with an id made of its position.
-- One run id may belong to several jobs. job_version: of all inputs and outputs that its events name.
create table runfold.run_datasets (
    run_id         uuid        not null,
    job_id         uuid        not null,
    started_at     timestamptz not null,   -- the earliest time of its events that name datasets
    position       bigint      not null,   -- of the last of these events
    first_position bigint      not null,   -- of the first one: since then it is known that the run read or wrote anything
    job_version    uuid        not null,
    is_run         boolean     not null,
    registers      bytea       not null,
    primary key (run_id, job_id)
);
create index run_datasets_of_job on runfold.run_datasets (job_id, started_at desc, run_id desc);
create index run_datasets_of_version on runfold.run_datasets (job_id, job_version, started_at desc);

-- The graph. direction: 0 the job reads the dataset, 1 it writes it. current: the latest run of the job that names any does so.
-- dataset_id: as the event names it; runfold.datasets has its primary_id.
create table runfold.lineage_edges (
    job_id     uuid        not null,
    direction  smallint    not null,
    dataset_id uuid        not null,
    current    boolean     not null,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    primary key (job_id, direction, dataset_id)
);
create index lineage_edges_current on runfold.lineage_edges (job_id) where current;
create index lineage_edges_of_dataset on runfold.lineage_edges (dataset_id, direction, job_id);

-- The column mapping of an output dataset by a job: ColumnMapping, of the latest event that tells it.
create table runfold.column_mappings (
    dataset_id uuid     not null,
    job_id     uuid     not null,
    position   bigint   not null,
    registers  bytea    not null,
    primary key (dataset_id, job_id)
);
-- The input datasets of column mappings.
create table runfold.column_inputs (
    input_id   uuid not null,
    dataset_id uuid not null,
    job_id     uuid not null,
    primary key (input_id, dataset_id, job_id)
);
create index column_inputs_of_output on runfold.column_inputs (dataset_id, job_id);

-- Sources: SourceRegisters, by PUT and by dataSource facets. Tags: TagRegisters, by PUT and by being used.
create table runfold.sources (
    id         uuid        primary key,   -- source_id(name)
    name       text        not null,
    position   bigint      not null,
    created_at timestamptz not null,      -- the earliest time of an event that names it
    registers  bytea       not null
);
create index sources_by_name on runfold.sources (left(name, 200) collate "C", id);
create index sources_by_creation on runfold.sources (created_at);
create table runfold.tags (
    id        uuid   primary key,   -- tag_id(name)
    name      text   not null,
    position  bigint not null,
    registers bytea  not null
);
create index tags_by_name on runfold.tags (left(name, 200) collate "C", id);

-- What GET /search looks in, and what GET /stats counts. kind: 0 a job, 1 a dataset. folded: the name, as service/domain/search.py folds
-- it. words: folded, too: name, namespace, tags, columns and description. position: the last event that names it; where it is not after
-- the last deletion of the namespace, the entry is not found. created_at: the earliest time of an event that names it. updated_at and
-- position are in no index, so an event that changes nothing else moves no index entry.
create table runfold.search_entries (
    id           uuid        not null,      -- of the job or dataset, which may be the same
    kind         smallint    not null,
    namespace_id uuid        not null,
    namespace    text        not null,
    name         text        not null,
    folded       text        not null,
    words        text        not null,
    hidden       boolean     not null,
    position     bigint      not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    registers    bytea,                     -- of a job: JobEntry
    primary key (kind, id)
) with (fillfactor = 80);
create index search_entries_by_creation on runfold.search_entries (kind, created_at);

-- Texts are found by their trigrams where the server has pg_trgm and the role may use it. Without it, searches scan the table.
do $trigrams$
begin
    create extension if not exists pg_trgm;
exception when others then
    raise notice 'GET /search has no index, because pg_trgm cannot be created: %', sqlerrm;
end
$trigrams$;
do $index$
declare
    home text := (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pg_trgm');
begin
    if home is not null then
        execute format('create index search_entries_words on runfold.search_entries using gin (words %I.gin_trgm_ops)', home);
    end if;
end
$index$;

-- The number of OpenLineage events of each type in each quarter of an hour, by their own time: GET /stats/lineage-events. Time zones
-- differ from UTC by whole quarters. The empty digest counts all. position: as in runfold.lineage_counts.
create table runfold.event_type_counts (
    log       int      not null,
    namespace bytea    not null,   -- SHA-256 of the name
    quarter   bigint   not null,   -- since 1970
    type      smallint not null,   -- 0 START, 1 COMPLETE, 2 FAIL, 3 ABORT
    total     bigint   not null,
    position  bigint   not null,
    primary key (log, namespace, quarter, type, position)
);
