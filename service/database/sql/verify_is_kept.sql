-- Returns whether a schema has all of some tables, plain ones without triggers, rules and policies, which the current role owns, as the schema, and nobody else may change.
-- parameters: name, tables
select count(*) filter (where c.relname = any (:tables::text[]) and c.relkind = 'r') = cardinality(:tables::text[])
       and bool_and(n.nspowner = r.oid and c.relowner = r.oid
                    and not c.relhastriggers and not c.relhasrules and not c.relrowsecurity
                    and not exists (select from pg_catalog.aclexplode(n.nspacl) a
                                     where a.grantee <> r.oid and a.privilege_type <> 'USAGE')
                    and not exists (select from pg_catalog.aclexplode(c.relacl) a
                                     where a.grantee <> r.oid and a.privilege_type <> 'SELECT')) as kept
  from pg_catalog.pg_namespace n
  join pg_catalog.pg_roles r on r.rolname = current_user
  join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relkind <> 'i'
 where n.nspname = :name
