-- Makes the partitions of payloads for positions up to :position, and the one after these.
-- parameters: position
select runfold.ensure_payload_partition(n)
  from generate_series(0, :position::bigint / runfold.payload_partition_size() + 1) n
