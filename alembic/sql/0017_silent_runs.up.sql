-- Inferred: the end of a run was not reported, but inferred from its silence (docs/decisions/0037-silent-runs.md).
alter table runfold.runs add column inferred boolean not null default false;

-- The settings of jobs and namespaces, by id, as their events set them: derived, like all of the catalog. `position` is that of the
-- event, so that the greatest one tells whether any setting has changed; seconds: 0 for runs that may be silent for any time, null
-- where the setting of the namespace, or that of the service, applies.
create table runfold.silence_settings (
    id       uuid   primary key,
    position bigint not null,
    seconds  int
);
create index silence_settings_by_position on runfold.silence_settings (position);
create index silence_settings_by_seconds on runfold.silence_settings (seconds) where seconds > 0;

-- Which process looks for silent runs: until expires_at the holder, then the first that takes over. No run could be reported while no
-- service was there to record it, so silences count from active_since: the end of the last time without a holder.
create table runfold.silence_monitor (
    log          int         primary key,
    holder       uuid,
    seen_at      timestamptz not null,
    expires_at   timestamptz not null,
    active_since timestamptz not null
);
