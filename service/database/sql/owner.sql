-- Returns whether the current role owns the ledger and may create a schema beside its own.
select pg_has_role(c.relowner, 'usage') and has_database_privilege(current_database(), 'create') as owns,
       pg_get_userbyid(c.relowner) as owner, current_user as role
  from pg_class c
 where c.oid = 'runfold.events'::regclass
