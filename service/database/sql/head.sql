-- Returns the last position of a log, its hash and when it was recorded.
-- parameters: log
select h.position, h.hash, h.recorded_at from runfold.ledger_head h where h.log = :log order by h.position desc limit 1
