-- One bare top-level SELECT outside a transaction block: only then does Citus send it to the log's node.
select recorded_at, positions, outcomes
  from runfold.append_events($1, $2)
