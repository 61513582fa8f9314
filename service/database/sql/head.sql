-- Where a log ends. $1 log.
select h.position, h.hash, h.recorded_at from runfold.ledger_head h where h.log = $1
