-- The cursor, for whoever folds: one process at a time, the others wait for its commit; and where the ledger ends. $1 log.
-- The commit is durable, though the catalog is derived: processes remember how far it is folded, and a crash that took pages
-- back would leave them waiting for nothing, and lists with less than was told.
select c.position, h.position as head
  from runfold.catalog_cursor c
 cross join lateral (select t.position from runfold.ledger_head t where t.log = c.log offset 0) h
 where c.log = $1
   for update of c
