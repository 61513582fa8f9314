-- Locks the cursor, so that one process at a time projects and the others wait for its commit; returns it with the position of
-- the last event. The commit must be durable although the catalog is derived: processes remember how far it is projected, and a
-- crash that lost pages would leave them waiting for positions that no process projects again.
-- parameters: log
select c.position, c.format, h.position as head
  from {schema}.{projection}_cursor c
 cross join lateral (
      select t.position from runfold.ledger_head t where t.log = c.log order by t.position desc limit 1
 ) h
 where c.log = :log
 order by c.position desc
 limit 1
   for update of c
