-- Returns the statement that creates a role which may log in, and whether the current role may execute it.
-- parameters: role
select format('create role %I login', :role::text) as statement, r.rolcreaterole or r.rolsuper as allowed,
       r.rolname as creator
  from pg_roles r
 where r.rolname = current_user
