-- Summaries: what the events of a run with many of them come to, in groups (service/domain/run_summary.py). Any part of its history
-- is merged from few of them. Derived, like all of the catalog. They replace snapshots, which were made of all events before them.
create table runfold.run_summaries (
    id             uuid        not null,
    level          smallint    not null,   -- 0: of events; above: of summaries of the level below
    last_position  bigint      not null,
    first_position bigint      not null,
    events         int         not null,
    earliest       timestamptz not null,   -- of the events' own times
    latest         timestamptz not null,
    registers      bytea,                  -- null: the events must be read, because a payload was archived before
    primary key (id, level, last_position)
);

-- `since` is now the number of events that are in no summary. Runs that had snapshots are summarized by the next projector.
update runfold.runs r set since = 128 where exists (select from runfold.run_snapshots s where s.id = r.id);
create index runs_to_summarize on runfold.runs (since) where since >= 128;
drop table runfold.run_snapshots;
