-- Locks the head of a log, so that nothing is appended until the transaction ends.
-- parameters: log
select from runfold.ledger_head h where h.log = :log order by h.position desc limit 1 for update
