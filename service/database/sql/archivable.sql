-- Returns the last position that was recorded before a time and is projected, into the catalog and into lineage, and the last
-- position of the ledger; and how many positions a file of archived payloads has at most.
-- parameters: log, before
select least(runfold.position_at(:log, :before::timestamptz - interval '1 microsecond'), c.position, l.position) as last,
       h.position as head, runfold.payload_partition_size() as file_positions
  from (select t.position from runfold.ledger_head t where t.log = :log order by t.position desc limit 1) h
 cross join (select t.position from runfold.catalog_cursor t where t.log = :log order by t.position desc limit 1) c
 cross join (select t.position from runfold.lineage_cursor t where t.log = :log order by t.position desc limit 1) l
