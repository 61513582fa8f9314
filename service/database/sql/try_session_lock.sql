-- Takes an advisory lock of the session if it is free; tells whether it was.
-- parameters: key
select pg_try_advisory_lock(:key)
