-- Returns the last position of a log, and the position up to which the catalog is projected.
-- parameters: log
select h.position as head, c.position as projected
  from runfold.ledger_head h
  join runfold.catalog_cursor c on c.log = h.log
 where h.log = :log
