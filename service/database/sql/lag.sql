-- Where a log ends, and how far the catalog is folded. $1 log.
select h.position, c.position
  from runfold.ledger_head h
  join runfold.catalog_cursor c on c.log = h.log
 where h.log = $1
