-- Whether a role exists, and whether it could not be kept from anything. $1 role.
select r.oid is not null as exists, coalesce(r.rolsuper or pg_has_role(r.oid, c.relowner, 'usage'), false) as mighty
  from pg_class c
  left join pg_roles r on r.rolname = $1
 where c.oid = 'runfold.events'::regclass
