create schema if not exists runfold;

-- The ledger: a narrow row for each event, never removed. Every key names its log (docs/architecture.md, "Beyond one machine").
create table runfold.events (
    log             int         not null,
    position        bigint      not null,   -- gapless within the log, from 1, in commit order
    subject         text        not null,   -- run, job, namespace, dataset, key or ledger
    stream          uuid        not null,   -- the id of the aggregate; of a name: its UUIDv5
    kind            text        not null,   -- transition, facts, defined, deleted, created, revoked, archived, restored, erased
    state           text,                   -- of a transition: NEW, RUNNING, COMPLETED, FAILED, ABORTED
    transitioned_at timestamptz not null,   -- when it happened, as reported (valid time)
    recorded_at     timestamptz not null,   -- when it was appended, never going back (system time)
    namespace       text,
    job             text,
    parent_run      uuid,
    source          text        not null,   -- api, openlineage, import or monitor
    actor           text,                   -- the API key's name
    fact            bytea       not null,   -- 16 bytes that identify the fact within its stream
    request_digest  bytea,                  -- of the request that had an Idempotency-Key
    payload_digest  bytea,                  -- SHA-256 of the payload's bytes
    hash            bytea       not null,   -- SHA-256 over the hash before it and this row (docs/ledger-format.md)
    constraint events_pkey primary key (log, subject, stream, position),
    -- position first: while the table is small, the planner would consider an index that begins with log as good for a
    -- single stream as the primary key, and that plan would stay cached while the table grows.
    constraint events_position_key unique (position, log),
    constraint events_fact_key unique (log, subject, stream, fact)
);

-- The payloads of events, byte for byte: json, because jsonb would change them.
create table runfold.payloads (
    log      int    not null,
    position bigint not null,
    body     json   not null,
    constraint payloads_pkey primary key (log, position)
) partition by range (position);

-- One row for each log. An append locks it FOR UPDATE, which makes positions gapless and in commit order.
create table runfold.ledger_head (
    log         int primary key,
    position    bigint      not null,
    hash        bytea       not null,
    recorded_at timestamptz not null
);
insert into runfold.ledger_head (log, position, hash, recorded_at)
values (0, 0, decode(repeat('00', 32), 'hex'), '-infinity');

create function runfold.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'the ledger is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

create trigger events_append_only before update or delete or truncate on runfold.events
    for each statement execute function runfold.refuse_change();
create trigger payloads_append_only before update or delete on runfold.payloads
    for each row execute function runfold.refuse_change();
create trigger payloads_no_truncate before truncate on runfold.payloads
    for each statement execute function runfold.refuse_change();
create trigger ledger_head_stays before delete or truncate on runfold.ledger_head
    for each statement execute function runfold.refuse_change();

-- The number of positions in a partition of payloads.
create function runfold.payload_partition_size() returns bigint
language sql immutable as 'select 1000000::bigint';

-- Creates partition n (positions n*size+1 .. (n+1)*size) unless it exists.
create function runfold.ensure_payload_partition(n bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    size bigint := runfold.payload_partition_size();
    name text := 'payloads_' || n;
begin
    if to_regclass('runfold.' || name) is not null then
        return;
    end if;
    -- Made apart and attached afterwards: attaching does not lock readers of the other partitions out.
    execute format('create table runfold.%I (like runfold.payloads including all)', name);
    begin
        execute format('alter table runfold.%I alter body set compression lz4', name);
    exception when feature_not_supported or invalid_parameter_value then
        null;  -- a server built without lz4 keeps its default
    end;
    execute format('alter table runfold.payloads attach partition runfold.%I for values from (%s) to (%s)',
                   name, n * size + 1, (n + 1) * size + 1);
    execute format('create trigger %I before truncate on runfold.%I for each statement '
                   'execute function runfold.refuse_change()', name || '_no_truncate', name);
end
$$;
select runfold.ensure_payload_partition(0), runfold.ensure_payload_partition(1);

-- An event to append, in the order of the ledger's columns.
--   expected null: a fact, recorded unless its stream has it.
--   expected n:    a command, recorded only if its stream ends at position n (0: has no event).
create type runfold.draft as (
    subject text, stream uuid, kind text, state text, transitioned_at timestamptz, namespace text, job text,
    parent_run uuid, source text, actor text, fact bytea, request_digest bytea, payload_digest bytea, body text,
    expected bigint
);

-- Appends a batch in one round trip. Item i of the result is that of the i-th draft.
-- outcomes: 0 recorded, 1 known (the position is that of the recorded event), 2 lost a race (position 0).
-- One array of a composite type, because a driver needs time for each element of each array that it encodes.
create function runfold.append_events(p_log int, p_drafts runfold.draft[])
returns table (recorded_at timestamptz, positions bigint[], outcomes smallint[])
language plpgsql
set enable_seqscan = off                  -- or a plan cached on a small table scans a large one
set plan_cache_mode = force_generic_plan  -- planning anew costs as much as appending a dozen events
as $$
#variable_conflict use_column
declare
    head      runfold.ledger_head;
    started   bigint;
    hashes    bytea[] := array_fill(null::bytea, array[cardinality(p_drafts)]);  -- or it would begin at the first one set
    size      bigint := runfold.payload_partition_size();
    item      record;
begin
    select * into strict head from runfold.ledger_head h where h.log = p_log for update;
    -- Under the lock, or a later position could carry an earlier time.
    recorded_at := greatest(head.recorded_at, clock_timestamp());
    started := head.position;
    for item in
        select i.n, i.subject, i.stream, i.kind, i.state, i.transitioned_at, i.namespace, i.job, i.parent_run,
               i.source, i.actor, i.fact, i.request_digest, i.payload_digest,
               (select e.position from runfold.events e
                 where e.log = p_log and e.subject = i.subject and e.stream = i.stream and e.fact = i.fact) as known,
               i.expected is null or i.expected = coalesce(
                   (select e.position from runfold.events e
                     where e.log = p_log and e.subject = i.subject and e.stream = i.stream
                     order by e.position desc limit 1), 0) as holds,
               min(i.n) over (partition by i.stream, i.subject, i.fact) as first
          from unnest(p_drafts) with ordinality
            as i (subject, stream, kind, state, transitioned_at, namespace, job, parent_run, source, actor,
                  fact, request_digest, payload_digest, body, expected, n)
         order by i.n
    loop
        if item.known is not null then
            positions[item.n] := item.known;
            outcomes[item.n] := 1;
        elsif item.first < item.n then
            positions[item.n] := positions[item.first];
            outcomes[item.n] := case outcomes[item.first] when 2 then 2 else 1 end;
        elsif not item.holds then
            positions[item.n] := 0;
            outcomes[item.n] := 2;
        else
            head.position := head.position + 1;
            head.hash := sha256('\x01'::bytea || head.hash || record_send(row(
                p_log, head.position, convert_to(item.subject, 'UTF8'), item.stream,
                convert_to(item.kind, 'UTF8'), convert_to(item.state, 'UTF8'), item.transitioned_at, recorded_at,
                convert_to(item.namespace, 'UTF8'), convert_to(item.job, 'UTF8'), item.parent_run,
                convert_to(item.source, 'UTF8'), convert_to(item.actor, 'UTF8'),
                item.fact, item.request_digest, item.payload_digest)));
            positions[item.n] := head.position;
            outcomes[item.n] := 0;
            hashes[item.n] := head.hash;
        end if;
    end loop;
    if head.position > started then
        if head.position / size > started / size then
            perform runfold.ensure_payload_partition(head.position / size + 1);
        end if;
        insert into runfold.events
        select p_log, i.position, i.subject, i.stream, i.kind, i.state, i.transitioned_at, recorded_at, i.namespace,
               i.job, i.parent_run, i.source, i.actor, i.fact, i.request_digest, i.payload_digest, i.hash
          from unnest(p_drafts, positions, outcomes, hashes)
            as i (subject, stream, kind, state, transitioned_at, namespace, job, parent_run, source, actor,
                  fact, request_digest, payload_digest, body, expected, position, outcome, hash)
         where i.outcome = 0;
        insert into runfold.payloads (log, position, body)
        select p_log, i.position, i.body::json
          from unnest(p_drafts, positions, outcomes)
            as i (subject, stream, kind, state, transitioned_at, namespace, job, parent_run, source, actor,
                  fact, request_digest, payload_digest, body, expected, position, outcome)
         where i.outcome = 0 and i.body is not null;
        update runfold.ledger_head h
           set position = head.position, hash = head.hash, recorded_at = append_events.recorded_at
         where h.log = p_log;
    end if;
    return next;
end
$$;

-- The catalog, projected from the ledger; `runfold rebuild` projects it anew.
-- registers: merged from the events up to `position`, packed by service/ledger/aggregates.py.
create table runfold.catalog_cursor (
    log      int primary key,
    position bigint not null
);
insert into runfold.catalog_cursor (log, position) values (0, 0);

create table runfold.namespaces (
    id        uuid    primary key,
    position  bigint  not null,
    name      text    not null,
    hidden    boolean not null,
    registers bytea   not null
);
create index namespaces_name on runfold.namespaces (left(name, 256)) where not hidden;

create table runfold.jobs (
    id           uuid        primary key,
    position     bigint      not null,
    namespace_id uuid        not null,
    namespace    text        not null,
    name         text        not null,
    hidden       boolean     not null,
    updated_at   timestamptz not null,
    registers    bytea       not null
);
create index jobs_listed on runfold.jobs (updated_at desc, id) where not hidden;
create index jobs_of_namespace on runfold.jobs (namespace_id, updated_at desc, id) where not hidden;

create table runfold.runs (
    id         uuid        primary key,
    position   bigint      not null,
    job_id     uuid        not null,
    namespace  text        not null,
    job        text        not null,
    state      text        not null,
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at   timestamptz,
    parent_run uuid,
    registers  bytea       not null
) with (fillfactor = 80);
create index runs_of_job on runfold.runs (job_id, created_at desc, id desc);
create index runs_by_state on runfold.runs (state, created_at desc, id desc);
create index runs_of_parent on runfold.runs (parent_run, created_at desc, id desc) where parent_run is not null;

-- The number of runs of a job in each state: totalCount of a list without a scan.
create table runfold.run_counts (
    job_id uuid   not null,
    state  text   not null,
    total  bigint not null,
    primary key (job_id, state)
);
