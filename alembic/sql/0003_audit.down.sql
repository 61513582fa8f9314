drop index runfold.runs_by_duration, runfold.runs_named, runfold.runs_of_namespace, runfold.runs_by_state;
create index runs_by_state on runfold.runs (state, created_at desc, id desc);
drop function runfold.duration_class(timestamptz, timestamptz);
drop function runfold.settle(int);
drop function runfold.position_at(int, timestamptz);
drop table runfold.event_postings;
