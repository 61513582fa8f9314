-- Runs by their duration, which is indexed as a time after 1970: as an interval, it would need bounds and cursors of its own.
create index runs_by_length on runfold.runs
    (state, (to_timestamp(extract(epoch from ended_at - started_at)::double precision)) desc, id desc)
 where to_timestamp(extract(epoch from ended_at - started_at)::double precision) is not null;
