-- Returns the statement that creates a role which may log in.
-- parameters: role
select format('create role %I login', :role::text)
