-- The cursor, for whoever folds: one process at a time, the others wait for its commit. $1 log.
select c.position from runfold.catalog_cursor c where c.log = $1 for update
