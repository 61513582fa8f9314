-- Partitions of payloads grow with the ledger, so that their number does not (docs/decisions/0026-growing-partitions.md). And
-- any range of positions can be archived: first the ledger records the file, then the payloads leave the database, row by row
-- where their partition has others, too.

-- The partitions of payloads. Their bounds are in the system catalogue alone: partitions of earlier versions have a million
-- positions each, and archiving merges emptied ones.
create function runfold.payload_partitions() returns table (name text, first bigint, last bigint)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select c.relname::text, b[1]::bigint, b[2]::bigint - 1
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     cross join regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') as b
     where i.inhparent = 'runfold.payloads'::regclass
$$;
revoke all on function runfold.payload_partitions from public;

-- Creates a table like payloads. It is attached later: attaching does not lock readers of the other partitions out.
create function runfold.create_payload_table(p_name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('create table runfold.%I (like runfold.payloads including all)', p_name);
    execute format('alter table runfold.%I alter body set compression lz4', p_name);
exception when feature_not_supported or invalid_parameter_value then  -- a server built without lz4 keeps its default
    execute format('create table runfold.%I (like runfold.payloads including all)', p_name);
end
$$;
revoke all on function runfold.create_payload_table from public;

-- Makes a table that create_payload_table created the partition of some positions.
create function runfold.attach_payload_table(p_name text, p_first bigint, p_last bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    execute format('alter table runfold.payloads attach partition runfold.%I for values from (%s) to (%s)',
                   p_name, p_first, p_last + 1);
    execute format('create trigger %I before truncate on runfold.%I for each statement '
                   'execute function runfold.refuse_change()', p_name || '_no_truncate', p_name);
end
$$;
revoke all on function runfold.attach_payload_table from public;

-- Creates partitions until they reach position (n + 1) * size; an append that passes a multiple of the size calls this. A new
-- one has a quarter as many positions as there are between the archived payloads and it, and at least `size`: the number of
-- partitions grows with the logarithm of the ledger's length.
create or replace function runfold.ensure_payload_partition(n bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    size     bigint := runfold.payload_partition_size();
    ending   bigint;
    archived bigint;
    length   bigint;
begin
    select coalesce(max(p.last), 0) into ending from runfold.payload_partitions() p;
    if ending >= (n + 1) * size then
        return;
    end if;
    begin
        lock table runfold.payloads in share update exclusive mode nowait;  -- attaching needs it
    exception when lock_not_available then  -- of ANALYZE, for example
        if ending >= n * size then
            return;  -- there is room until the next call
        end if;
        lock table runfold.payloads in share update exclusive mode;
    end;
    select coalesce(max(p.last), 0) into ending from runfold.payload_partitions() p;
    select coalesce(min(coalesce(a.last, 0)), 0) into archived
      from runfold.ledger_head h
      left join lateral (select max(t.last) as last from runfold.archives t where t.log = h.log) a on true;
    while ending < (n + 1) * size loop
        length := greatest(size, (ending - archived) / 4 / size * size);
        perform runfold.create_payload_table('payloads_' || ending / size);
        perform runfold.attach_payload_table('payloads_' || ending / size, ending + 1, ending + length);
        ending := ending + length;
    end loop;
end
$$;

-- Whether an archive has the payload at a position, so that it may leave the database: not that of an API key or of a record
-- of the ledger's own, which are needed here.
create function runfold.is_archived(p_log int, p_position bigint) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- or a plan cached on a small table scans a large one
as $$
begin
    return exists (
        select from (select t.last from runfold.archives t
                      where t.log = p_log and t.first <= p_position order by t.first desc limit 1) a
         where a.last >= p_position)
       and (select e.subject not in ('key', 'ledger') from runfold.events e
             where e.log = p_log and e.position between p_position and p_position order by e.position limit 1);
end
$$;

-- A payload may be deleted once the ledger records that it was archived, or erased.
create or replace function runfold.guard_payload() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE'
       and (runfold.is_archived(old.log, old.position) or runfold.is_erased(old.log, old.position)) then
        return old;
    end if;
    raise exception 'the ledger is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;

-- So that a row of archives permits nothing by itself, it must be what the ledger records last of an archive that begins there.
create function runfold.guard_archive() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    perform from (
        select e.kind, p.body
          from runfold.events e
         cross join lateral (
             select q.body from runfold.payloads q where q.log = new.log and q.position = e.position offset 0
         ) p
         where e.log = new.log and e.subject = 'ledger' and e.kind in ('archived', 'restored')
           and (p.body ->> 'first')::bigint = new.first
         order by e.position desc limit 1
    ) r
     where r.kind = 'archived' and (r.body ->> 'last')::bigint = new.last
       and r.body ->> 'file' = new.file and r.body ->> 'sha256' = new.sha256;
    if not found then
        raise exception 'the ledger does not record an archive % of positions % to %', new.file, new.first, new.last
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    return new;
end
$$;
create trigger archives_as_recorded before insert or update on runfold.archives
    for each row execute function runfold.guard_archive();

-- An archived payload may still be here. It cannot be erased either: the file would keep it.
-- Replaces a condition of the function, whatever the rest of it is by now: earlier migrations may have replaced it.
do $change$
declare
    before text := pg_get_functiondef('runfold.erase_payloads(int, bigint[], text, text)'::regprocedure);
    after  text := replace(before, 'where p.position is null and not',
                           'where (p.position is null or runfold.is_archived(p_log, w.position)) and not');
begin
    if after = before then
        raise exception 'runfold.erase_payloads does not look for missing payloads as expected';
    end if;
    execute after;
end
$change$;

-- Whether a payload of some positions must stay in the database until it is archived.
create function runfold.has_unarchived_payload(p_first bigint, p_last bigint) returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    return exists (
        select from runfold.ledger_head h
         cross join lateral (  -- the positions between the archives
             select c.last + 1 as first, lead(c.first, 1, p_last + 1) over (order by c.first) - 1 as last
               from (select p_first - 1 as first, p_first - 1 as last
                      union all
                     select greatest(a.first, p_first), a.last from runfold.archives a
                      where a.log = h.log and a.last >= p_first and a.first <= p_last) c
         ) g
         cross join lateral (
             select from runfold.payloads p
              cross join lateral (
                  select e.subject from runfold.events e
                   where e.log = h.log and e.position between p.position and p.position order by e.position offset 0
              ) e
              where p.log = h.log and p.position between g.first and g.last and e.subject not in ('key', 'ledger')
              limit 1
         ) p);
end
$$;
revoke all on function runfold.has_unarchived_payload from public;

-- Replaces adjacent partitions whose payloads are all archived by one with the payloads that the service needs: those of API
-- keys and of the ledger's own records. Refused while anything else is in them, or may still be appended to them.
create function runfold.replace_archived_partitions(p_names text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    span   record;
    fresh  text;
    part   text;
    ledger record;
begin
    select min(p.first) as first, max(p.last) as last, sum(p.last - p.first + 1) as positions,
           (array_agg(p.name order by p.first))[1] as name
      into span
      from runfold.payload_partitions() p
     where p.name = any (p_names);
    if span.positions is distinct from coalesce(span.last - span.first + 1, 0)
       or exists (select from runfold.ledger_head h where h.position < span.last)
       or runfold.has_unarchived_payload(span.first, span.last) then
        raise exception 'the payloads of % are not all archived', array_to_string(p_names, ', ')
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    fresh := span.name || '_kept';
    perform runfold.create_payload_table(fresh);
    for ledger in select h.log from runfold.ledger_head h loop
        execute format('insert into runfold.%I (log, position, body) '
                       'select p.log, p.position, p.body '
                       '  from runfold.events e '
                       ' cross join lateral (select * from runfold.payloads q '
                       '                      where q.log = $1 and q.position = e.position offset 0) p '
                       ' where e.log = $1 and e.subject in (''key'', ''ledger'') and e.position between $2 and $3',
                       fresh) using ledger.log, span.first, span.last;
    end loop;
    foreach part in array p_names loop
        execute format('alter table runfold.payloads detach partition runfold.%I', part);
        execute format('drop table runfold.%I', part);
    end loop;
    execute format('alter table runfold.%I rename to %I', fresh, span.name);
    execute format('alter table runfold.%I rename constraint %I to %I', span.name, fresh || '_pkey',
                   span.name || '_pkey');
    perform runfold.attach_payload_table(span.name, span.first, span.last);
end
$$;
revoke all on function runfold.replace_archived_partitions from public;
drop function runfold.drop_archived_payloads;
