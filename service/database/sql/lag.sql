-- Returns the last position of a log, and the position up to which the catalog is projected.
-- parameters: log
select (select h.position from runfold.ledger_head h where h.log = :log order by h.position desc limit 1) as head,
       (select c.position from runfold.{projection}_cursor c where c.log = :log order by c.position desc limit 1) as projected
