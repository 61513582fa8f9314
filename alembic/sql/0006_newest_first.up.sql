-- A row that every append updates, and a transaction that stays open (a backup, an analyst): the versions that the row had
-- since then cannot be removed. So the position is part of the key: each update adds an index entry, and a search from the
-- end of the index finds the newest version first, however many older ones there are
-- (docs/decisions/0018-newest-version-first.md). Every statement of the service reads with `order by position desc limit 1`.
alter table runfold.ledger_head
    drop constraint ledger_head_pkey, add constraint ledger_head_pkey primary key (log, position);
-- Appends would wait while autovacuum returns the pages of removed versions to the file system.
alter table runfold.ledger_head set (vacuum_truncate = off);

-- The key no longer refuses a second head of a log.
create function runfold.refuse_second_head() returns trigger
language plpgsql as $$
begin
    if exists (select from runfold.ledger_head h where h.log = new.log) then
        raise exception 'the ledger is append-only: log % has a head', new.log
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return new;
end
$$;
create trigger ledger_head_is_one before insert on runfold.ledger_head
    for each row execute function runfold.refuse_second_head();

-- As before, but the newest version of the head is found first, and updated by its whole key.
create or replace function runfold.append_events(p_log int, p_drafts runfold.draft[])
returns table (recorded_at timestamptz, positions bigint[], outcomes smallint[])
language plpgsql security definer set search_path = pg_catalog, pg_temp
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
    select * into strict head from runfold.ledger_head h
     where h.log = p_log order by h.position desc limit 1 for update;
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
         where h.log = p_log and h.position = started;
    end if;
    return next;
end
$$;

-- As before, but from the newest version of the head.
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
    select h.position, h.recorded_at into high, at from runfold.ledger_head h
     where h.log = p_log order by h.position desc limit 1;
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

create or replace function runfold.settle(p_log int) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select from runfold.ledger_head h where h.log = p_log order by h.position desc limit 1 for share
$$;

-- Likewise the cursor of the catalog, which every page moves.
alter table runfold.catalog_cursor
    drop constraint catalog_cursor_pkey, add constraint catalog_cursor_pkey primary key (log, position);

-- Likewise the counters. position: the end of the page that counted last.
alter table runfold.run_counts add column position bigint not null default 0;
alter table runfold.run_counts
    drop constraint run_counts_pkey, add constraint run_counts_pkey primary key (job_id, state, position);
alter table runfold.lineage_counts add column position bigint not null default 0;
alter table runfold.lineage_counts
    drop constraint lineage_counts_pkey, add constraint lineage_counts_pkey primary key (log, namespace, hour, position);
