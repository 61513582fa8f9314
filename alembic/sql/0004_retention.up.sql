-- Append-only for every role, also the owner of the tables; functions with the owner's rights; retention.

-- The head only moves forward. `verify` checks that it is at an event: a check here would cost time in every append, and
-- plans made while the table is empty would scan the ledger.
create function runfold.guard_head() returns trigger
language plpgsql as $$
begin
    if new.log = old.log and new.position > old.position and new.recorded_at >= old.recorded_at then
        return new;
    end if;
    raise exception 'the ledger is append-only: its head moves by appending alone'
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
create trigger ledger_head_grows before update on runfold.ledger_head
    for each row execute function runfold.guard_head();

-- The fact of the record of an erasure; verification finds the record by it even if its own payload is archived.
create function runfold.erasure_fact(p_position bigint) returns bytea
language sql immutable parallel safe return substr(sha256(convert_to('erased:' || p_position, 'UTF8')), 1, 16);

-- Whether the ledger records that the payload at a position was erased.
create function runfold.is_erased(p_log int, p_position bigint) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- or a plan cached on a small table scans a large one
as $$
begin
    return exists (
        select from runfold.events e
          join runfold.events r on r.log = e.log and r.subject = e.subject and r.stream = e.stream
                               and r.fact = runfold.erasure_fact(e.position)
         where e.log = p_log and e.position = p_position and r.kind = 'erased' and r.position > e.position);
end
$$;

-- A payload may be deleted once the ledger records that it was erased, by whom and why.
create function runfold.guard_payload() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE' and runfold.is_erased(old.log, old.position) then
        return old;
    end if;
    raise exception 'the ledger is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
drop trigger payloads_append_only on runfold.payloads;
create trigger payloads_append_only before update or delete on runfold.payloads
    for each row execute function runfold.guard_payload();

-- A role that may call append_events needs no rights on the tables that it writes.
alter function runfold.append_events security definer set search_path = pg_catalog, pg_temp;
revoke all on function runfold.append_events from public;
revoke all on function runfold.ensure_payload_partition from public;

-- Erases payloads for good: records each erasure in the stream of its event, then deletes the payload. Positions erased
-- before are skipped. removed: the number of deleted payloads; last: the position of the last record.
create function runfold.erase_payloads(p_log int, p_positions bigint[], p_why text, p_actor text)
returns table (removed bigint, last bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    stray bigint;
begin
    -- Before anything is looked at: an archive in the making must not take along what is erased now.
    perform from runfold.ledger_head h where h.log = p_log for update;
    select w.position into stray
      from unnest(p_positions) as w (position)
      left join runfold.payloads p on p.log = p_log and p.position = w.position
      left join runfold.events e on e.log = p_log and e.position = w.position
     where p.position is null and not runfold.is_erased(p_log, w.position)
        or e.subject not in ('run', 'job', 'namespace', 'dataset') or e.kind = 'erased'
     limit 1;
    if stray is not null then
        raise exception 'the payload at position % cannot be erased: it is not here, or the ledger needs it', stray
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    select (a.positions)[cardinality(a.positions)] into last
      from (select array_agg(row(
                       e.subject, e.stream, 'erased', null, clock_timestamp(), e.namespace, e.job, null, 'api', p_actor,
                       runfold.erasure_fact(e.position), null, sha256(convert_to(r.body, 'UTF8')), r.body, null
                   )::runfold.draft order by e.position) as drafts
              from runfold.events e
             cross join lateral (select json_build_object(
                       'position', e.position, 'why', p_why, 'digest', encode(e.payload_digest, 'hex'))::text as body) r
             where e.log = p_log and e.position = any (p_positions)) i
     cross join lateral runfold.append_events(p_log, i.drafts) a;
    delete from runfold.payloads p where p.log = p_log and p.position = any (p_positions);
    get diagnostics removed = row_count;
    return next;
end
$$;
revoke all on function runfold.erase_payloads from public;

-- The archives whose payloads are not in the database, for the responses that lack them. Derived from the events of
-- subject `ledger`.
create table runfold.archives (
    log    int    not null,
    first  bigint not null,
    last   bigint not null,
    file   text   not null,
    sha256 text   not null,
    constraint archives_pkey primary key (log, first)
);

-- Drops the payloads of a partition once they are archived. The payloads that the service needs stay in a partition that
-- replaces the old one: those of API keys and of the ledger's own records.
create function runfold.drop_archived_payloads(p_partition text) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    bounds text;
    fresh  text := p_partition || '_kept';
begin
    select pg_get_expr(c.relpartbound, c.oid) into strict bounds
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'runfold.payloads'::regclass and c.relname = p_partition;
    execute format('create table runfold.%I (like runfold.%I including all)', fresh, p_partition);
    execute format('insert into runfold.%I (log, position, body) '
                   'select p.log, p.position, p.body '
                   '  from runfold.events e '
                   '  join runfold.%I p on p.log = e.log and p.position = e.position '
                   ' where e.subject in (''key'', ''ledger'')', fresh, p_partition);
    execute format('alter table runfold.payloads detach partition runfold.%I', p_partition);
    execute format('drop table runfold.%I', p_partition);
    execute format('alter table runfold.%I rename to %I', fresh, p_partition);
    execute format('alter table runfold.%I rename constraint %I to %I', p_partition, fresh || '_pkey',
                   p_partition || '_pkey');
    execute format('alter table runfold.payloads attach partition runfold.%I %s', p_partition, bounds);
    execute format('create trigger %I before truncate on runfold.%I for each statement '
                   'execute function runfold.refuse_change()', p_partition || '_no_truncate', p_partition);
end
$$;
revoke all on function runfold.drop_archived_payloads from public;
