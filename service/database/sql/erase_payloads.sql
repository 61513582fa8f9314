-- Erases the payloads at some positions and records it; returns how many were removed, and the position of the last record.
-- parameters: log, positions, why, actor
select removed, last from runfold.erase_payloads(:log, :positions, :why, :actor)
