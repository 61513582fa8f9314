-- Apart from the column, in a transaction of its own, as in 0014.
create index runs_inferred on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc) where inferred;
create index runs_inferred_by_end on runfold.runs (state, ended_at desc, id desc) where inferred and ended_at is not null;
create index runs_inferred_by_update on runfold.runs (state, position desc) where inferred;
