-- Moves the head of a log to the last of events that were written without append_events.
-- parameters: log, position, hash, recorded_at
update runfold.ledger_head set position = :position, hash = :hash, recorded_at = :recorded_at where log = :log
