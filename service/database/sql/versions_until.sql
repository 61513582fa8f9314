-- Returns the version that was told last of each dataset up to a time: by an event that writes or defines it, else by one that reads it. Only
-- the last thousand are looked at: a dataset that many read with its schema, and nobody writes, is answered with a reader's.
-- parameters: ids, times
select w.id, w.at, v.version
  from unnest(:ids::uuid[], :times::timestamptz[]) as w (id, at)
 cross join lateral (
     select e.version
       from (
          select t.version, t.role, t.at, t.position
            from runfold.dataset_events t
           where t.dataset_id = w.id and t.version is not null and t.at <= w.at
           order by t.at desc, t.position desc limit 1000
       ) e
      order by e.role & 14 <> 0 desc, e.at desc, e.position desc limit 1
 ) v
