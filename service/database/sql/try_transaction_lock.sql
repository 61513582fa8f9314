-- Takes an advisory lock of the transaction if it is free; tells whether it was.
-- parameters: key
select pg_try_advisory_xact_lock(:key)
