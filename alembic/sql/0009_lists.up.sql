-- A deleted namespace hides the jobs that no event has named since: `seen` is the position of the last event that names a job
-- (null: written by an earlier version; its `position` stands for it), `deleted` that of a namespace's last deletion (0: none).
alter table runfold.jobs add column seen bigint;
alter table runfold.namespaces add column deleted bigint not null default 0;
-- Every event that names a job names its namespace, too: in a hidden one, all jobs were last named before the deletion.
update runfold.namespaces set deleted = position where hidden;

-- Runs by their last event, and by their end. The times of recording never decrease with position, so a bound in time is
-- one in position (runfold.position_at), and no column is needed for it.
create index runs_by_update on runfold.runs (state, position desc);
create index runs_by_end on runfold.runs (state, ended_at desc, id desc) where ended_at is not null;
