drop table runfold.run_snapshots;
alter table runfold.runs drop column since;
drop type runfold.run_row;

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
        select e.recorded_at into strict at from runfold.events e where e.log = p_log and e.position = middle;
        if at <= p_time then
            low := middle;
        else
            high := middle;
        end if;
    end loop;
    return low;
end
$$;
