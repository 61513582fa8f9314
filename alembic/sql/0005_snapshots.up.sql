-- Runs are written by the fold as one array of rows: a driver pays for each element of each array it encodes.
create type runfold.run_row as (
    id uuid, position bigint, job_id uuid, namespace text, job text, state text, created_at timestamptz,
    started_at timestamptz, ended_at timestamptz, parent_run uuid, registers bytea, since int
);

-- Of a run with many events, its registers as they were, 128 events apart: what was known of it at a time is the
-- latest of them before that, merged with what came in between. Derived, like everything of the catalog.
alter table runfold.runs add column since int not null default 0;  -- events folded since its last snapshot
create table runfold.run_snapshots (
    id        uuid   not null,
    position  bigint not null,
    registers bytea  not null,
    primary key (id, position)
);

-- As before, but that a position is asked for as a range: on a small table an equality looked like a use for the index on
-- facts, and that plan stayed cached while the table grew (docs/decisions/0003-plans-that-stay-good.md).
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
