-- Returns the partitions of payloads with the positions that each has, in their order.
select p.name, p.first, p.last from runfold.payload_partitions() p order by p.first
