-- Appends a batch of events. One bare top-level SELECT outside a transaction block: only then does Citus send it to the node
-- of the log.
-- parameters: log, drafts
select recorded_at, positions, outcomes
  from runfold.append_events(:log, :drafts)
