-- Posting lists: the positions of the events that a filter selects. An index for each filter would make an append half as
-- expensive again. So positions are posted later and in bulk, in chunks of 8,192, once a chunk is full: derived, never
-- changed, and not within a request. Reads scan the few positions that are not posted yet. Totals make exact counts cheap.
create table runfold.event_postings (
    log     int      not null,
    facet   smallint not null,   -- 1 namespace, 2 job, 3 actor, 4 kind, 5 state, 6 source; 0 marks a posted chunk
    hash    bigint   not null,   -- hashtextextended of its value, as names may be too long for an index
    chunk   int      not null,   -- positions chunk*8192+1 .. (chunk+1)*8192
    total   int      not null,
    offsets bytea    not null,   -- two bytes each, big-endian, in any order: position - chunk*8192 - 1
    constraint event_postings_pkey primary key (log, facet, hash, chunk)
);
alter table runfold.event_postings alter offsets set storage external;

-- The last position recorded at or before a time; 0 if there is none. recorded_at does not decrease with position and
-- positions have no gaps, so a binary search with the unique index on (position, log) finds it.
create function runfold.position_at(p_log int, p_time timestamptz) returns bigint
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

-- Waits until an append that is in progress has ended. Events that are appended after it have a time later than now: for a
-- T that has passed, "what was known at T" no longer changes.
create function runfold.settle(p_log int) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select from runfold.ledger_head h where h.log = p_log for share
$$;

-- Runs of all jobs are listed by start, or by creation if they have not started: newest first.
drop index runfold.runs_by_state;
create index runs_by_state on runfold.runs (state, (coalesce(started_at, created_at)) desc, id desc);
create index runs_of_namespace on runfold.runs
    (hashtext(namespace), state, (coalesce(started_at, created_at)) desc, id desc);
create index runs_named on runfold.runs
    (hashtext(job), state, (coalesce(started_at, created_at)) desc, id desc);

-- The duration of a run in powers of two: 0 below a second, n from 2^(n-1) up to 2^n seconds, 99 not ended. A run of class
-- n that was running at T started in the 2^n seconds before T. So "what was running at T" reads one short range of an
-- index for each class, of which about half of the entries match.
create function runfold.duration_class(started_at timestamptz, ended_at timestamptz) returns smallint
language sql immutable parallel safe as $$
    select case when ended_at is null then 99
                else width_bucket(extract(epoch from ended_at - started_at)::float8,
                                  '{1,2,4,8,16,32,64,128,256,512,1024,2048,4096,8192,16384,32768,65536,131072,262144,
                                    524288,1048576,2097152,4194304,8388608,16777216,33554432,67108864,134217728,
                                    268435456,536870912}'::float8[])
           end::smallint
$$;
create index runs_by_duration on runfold.runs
    (runfold.duration_class(started_at, ended_at), started_at desc, id desc) where started_at is not null;
