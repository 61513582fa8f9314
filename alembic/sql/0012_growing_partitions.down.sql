do $change$
declare
    before text := pg_get_functiondef('runfold.erase_payloads(int, bigint[], text, text)'::regprocedure);
    after  text := replace(before, 'where (p.position is null or runfold.is_archived(p_log, w.position)) and not',
                           'where p.position is null and not');
begin
    if after = before then
        raise exception 'runfold.erase_payloads does not look for missing payloads as expected';
    end if;
    execute after;
end
$change$;

drop trigger archives_as_recorded on runfold.archives;
drop function runfold.replace_archived_partitions, runfold.has_unarchived_payload, runfold.guard_archive;

create or replace function runfold.guard_payload() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE' and runfold.is_erased(old.log, old.position) then
        return old;
    end if;
    raise exception 'the ledger is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'object_not_in_prerequisite_state';
end
$$;
drop function runfold.is_archived;

-- Partitions of `size` positions again, which continue after the larger ones that there may be.
create or replace function runfold.ensure_payload_partition(n bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    size   bigint := runfold.payload_partition_size();
    ending bigint;
    name   text;
begin
    select coalesce(max((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''?(\d+)''?\)'))[1]::bigint - 1), 0)
      into ending
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'runfold.payloads'::regclass;
    while ending < (n + 1) * size loop
        name := 'payloads_' || ending / size;
        -- Made apart and attached afterwards: attaching does not lock readers of the other partitions out.
        execute format('create table runfold.%I (like runfold.payloads including all)', name);
        begin
            execute format('alter table runfold.%I alter body set compression lz4', name);
        exception when feature_not_supported or invalid_parameter_value then
            null;  -- a server built without lz4 keeps its default
        end;
        execute format('alter table runfold.payloads attach partition runfold.%I for values from (%s) to (%s)',
                       name, ending + 1, ending + size + 1);
        execute format('create trigger %I before truncate on runfold.%I for each statement '
                       'execute function runfold.refuse_change()', name || '_no_truncate', name);
        ending := ending + size;
    end loop;
end
$$;
drop function runfold.attach_payload_table, runfold.create_payload_table, runfold.payload_partitions;

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
