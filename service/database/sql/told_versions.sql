-- Returns the version that an event at a time told of each dataset; of several at one time, one that a writer told, and the last.
-- parameters: ids, times
select w.id, e.version
  from unnest(:ids::uuid[], :times::timestamptz[]) as w (id, at)
 cross join lateral (
     select t.version
       from runfold.dataset_events t
      where t.dataset_id = w.id and t.at = w.at and t.version is not null
      order by t.role & 14 <> 0 desc, t.position desc limit 1
 ) e
