-- Appends a batch of events, unless it would be recorded after :latest. One bare top-level SELECT outside a transaction block:
-- only then does Citus send it to the node of the log.
-- parameters: log, drafts, latest
select recorded_at, positions, outcomes
  from runfold.append_events_by(:log, :drafts, :latest)
