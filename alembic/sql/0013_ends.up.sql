-- Contradicted: ends in several states were reported for a run. Restarted: a START was reported after its end.
-- The rows of earlier versions have neither mark until their runs are projected again (`runfold rebuild`).
alter table runfold.runs
    add column contradicted boolean not null default false,
    add column restarted    boolean not null default false;
alter type runfold.run_row
    add attribute contradicted boolean,
    add attribute restarted boolean;

-- Runs that name a job which is not their own, under that job: producers may use one run id for several jobs.
create table runfold.run_jobs (
    job_id     uuid        not null,
    run_id     uuid        not null,
    created_at timestamptz not null,   -- that of the run
    primary key (job_id, run_id)
);
create index run_jobs_listed on runfold.run_jobs (job_id, created_at desc, run_id desc);
