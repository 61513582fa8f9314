-- Events that could not be projected, wholly or without their payloads, so that the others could be. Derived, like all of the
-- catalog: a rebuild tries each again.
create table runfold.catalog_set_aside (
    log          int         not null,
    position     bigint      not null,
    subject      text        not null,
    stream       uuid        not null,
    left_out     text        not null,   -- payload: its state and times are in the catalog; event: nothing of it is
    reason       text        not null,   -- the class of the error; never what a caller sent
    set_aside_at timestamptz not null default clock_timestamp(),
    primary key (log, position)
);
