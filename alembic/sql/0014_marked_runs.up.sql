-- Apart from the columns, in a transaction of its own: making an index takes as long as reading the table, and while the
-- columns are added the table is locked against reads.
-- Few runs have a mark. In the order of each list of runs, so that a list of those with a mark has an index, too.
create index runs_contradicted on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc) where contradicted;
create index runs_contradicted_by_end on runfold.runs (state, ended_at desc, id desc)
 where contradicted and ended_at is not null;
create index runs_contradicted_by_update on runfold.runs (state, position desc) where contradicted;
create index runs_restarted on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc) where restarted;
create index runs_restarted_by_end on runfold.runs (state, ended_at desc, id desc)
 where restarted and ended_at is not null;
create index runs_restarted_by_update on runfold.runs (state, position desc) where restarted;
