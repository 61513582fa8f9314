-- Returns the payload digests of the events at some positions.
-- parameters: log, positions
select w.position, e.payload_digest
  from unnest(:positions::bigint[]) as w (position)
 cross join lateral (
     select t.payload_digest from runfold.events t where t.log = :log and t.position = w.position offset 0
 ) e
