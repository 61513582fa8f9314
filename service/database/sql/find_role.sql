-- Returns whether a role exists, and whether its rights cannot be restricted because it owns the tables or is a superuser.
-- parameters: role
select r.oid is not null as exists, coalesce(r.rolsuper or pg_has_role(r.oid, c.relowner, 'usage'), false) as unrestricted
  from pg_class c
  left join pg_roles r on r.rolname = :role
 where c.oid = 'runfold.events'::regclass
