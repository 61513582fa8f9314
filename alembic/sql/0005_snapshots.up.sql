-- The projector writes runs as one array of rows: a driver needs time for each element of each array that it encodes.
create type runfold.run_row as (
    id uuid, position bigint, job_id uuid, namespace text, job text, state text, created_at timestamptz,
    started_at timestamptz, ended_at timestamptz, parent_run uuid, registers bytea, since int
);

-- Snapshots: the registers of a run with many events, 128 events apart. The state of the run as known at a time is the
-- last snapshot before it, merged with the events in between. Derived, like all of the catalog.
alter table runfold.runs add column since int not null default 0;  -- events merged since its last snapshot
create table runfold.run_snapshots (
    id        uuid   not null,
    position  bigint not null,
    registers bytea  not null,
    primary key (id, position)
);

-- As before, but a position is compared as a range: on a small table the planner used the index on facts for an equality,
-- and that plan stayed cached while the table grew (docs/decisions/0003-plans-that-stay-good.md).
create or replace function runfold.position_at(p_log int, p_time timestamptz) returns bigint
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- or a plan cached on a small table scans a large one
as $$
declare
    low    bigint := 0;
    high   bigint;
    middle bigint;
    at     timestamptz;
begin
    select h.position, h.recorded_at into high, at from runfold.ledger_head h where h.log = p_log;
    if at <= p_time then
        return high;
    end if;
    while low < high - 1 loop
        middle := (low + high) / 2;
        select e.recorded_at into strict at from runfold.events e
         where e.log = p_log and e.position between middle and middle order by e.position;
        if at <= p_time then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return low;
end
$$;
