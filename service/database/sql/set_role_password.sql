-- Returns the statement that sets the password of a role, from the verifier that is stored for it.
-- parameters: role, verifier
select format('alter role %I password %L', :role::text, :verifier::text)
