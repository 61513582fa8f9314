-- Contradicted: ends in several states were reported for a run. Restarted: a START was reported after its end.
-- The rows of earlier versions have neither mark until their runs are projected again (`runfold rebuild`).
alter table runfold.runs
    add column contradicted boolean not null default false,
    add column restarted    boolean not null default false;
alter type runfold.run_row
    add attribute contradicted boolean,
    add attribute restarted boolean;

-- Few runs have a mark. In the order of each list of runs, so that a list of those with a mark has an index, too.
create index runs_contradicted on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc) where contradicted;
create index runs_contradicted_by_end on runfold.runs (state, ended_at desc, id desc)
 where contradicted and ended_at is not null;
create index runs_contradicted_by_update on runfold.runs (state, position desc) where contradicted;
create index runs_restarted on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc) where restarted;
create index runs_restarted_by_end on runfold.runs (state, ended_at desc, id desc)
 where restarted and ended_at is not null;
create index runs_restarted_by_update on runfold.runs (state, position desc) where restarted;

-- Runs that name a job which is not their own, under that job: producers may use one run id for several jobs.
create table runfold.run_jobs (
    job_id     uuid        not null,
    run_id     uuid        not null,
    created_at timestamptz not null,   -- that of the run
    primary key (job_id, run_id)
);
create index run_jobs_listed on runfold.run_jobs (job_id, created_at desc, run_id desc);
