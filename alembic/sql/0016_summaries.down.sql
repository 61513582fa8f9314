drop index runfold.runs_to_summarize;
drop table runfold.run_summaries;
create table runfold.run_snapshots (
    id        uuid   not null,
    position  bigint not null,
    registers bytea  not null,
    primary key (id, position)
);
