-- The cursor, for whoever folds: one process at a time, the others wait for its commit; and where the ledger ends. $1 log.
-- The catalog is derived, and its cursor commits with it: a crash takes back both or neither, so nobody waits for the disk.
select c.position, h.position as head
  from runfold.catalog_cursor c
 cross join lateral (select t.position from runfold.ledger_head t where t.log = c.log offset 0) h
 cross join lateral (select set_config('synchronous_commit', 'off', true) offset 0) s
 where c.log = $1
   for update of c
