-- The cursor, for whoever folds: one process at a time, the others wait for its commit. $1 log.
-- The catalog is derived, and its cursor commits with it: a crash takes back both or neither, so nobody waits for the disk.
select c.position, set_config('synchronous_commit', 'off', true) from runfold.catalog_cursor c where c.log = $1 for update
