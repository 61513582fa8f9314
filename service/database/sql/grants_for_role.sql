-- Returns the statements, in order, that give a role what serving needs: to read the ledger, to append to it through one
-- function, and to write what is derived from it. Rights it had in the schema before are revoked.
-- parameters: role
with ledger (name) as (values ('events'), ('payloads'), ('ledger_head'), ('archives'))
select format(g.statement, :role::text, g.name, g.within) as statement
  from (
      values (1, 'revoke all on all tables in schema runfold from %1$I', '', ''),
             (2, 'revoke all on all functions in schema runfold from %1$I', '', ''),
             (3, 'grant connect on database %2$I to %1$I', current_database()::text, ''),
             (4, 'grant usage on schema runfold to %1$I', '', ''),
             (5, 'grant execute on function runfold.append_events, runfold.append_events_by to %1$I', '', '')
       union all
      select 6, 'grant select on runfold.%2$I to %1$I', l.name, '' from ledger l
       union all
      select 7, 'grant select, insert, update, delete on runfold.%2$I to %1$I', c.relname, ''
        from pg_class c
       where c.relnamespace = 'runfold'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         and c.relname not in (select l.name from ledger l)
       union all
      select s.step, s.statement, c.relname, c.relnamespace::regnamespace::text
        from pg_class c
       cross join (values (8, 'grant usage on schema %3$s to %1$I'), (9, 'grant select on %3$s.%2$I to %1$I'))
          as s (step, statement)
       where c.oid = to_regclass('runfold_version')
  ) as g (step, statement, name, within)
 order by g.step
