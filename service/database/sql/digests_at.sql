-- The digests of payloads as the events at some positions have them. $1 log, $2 positions.
select w.position, e.payload_digest
  from unnest($2::bigint[]) as w (position)
 cross join lateral (
     select t.payload_digest from runfold.events t where t.log = $1 and t.position = w.position offset 0
 ) e
