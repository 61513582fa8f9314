-- Returns the version that an event at a time told of each dataset; of several at one time, one that a writer told.
-- parameters: ids, times
select w.id, v.version
  from unnest(:ids::uuid[], :times::timestamptz[]) as w (id, at)
 cross join lateral (select e.version from ({last_telling}) e where e.at = w.at order by e.read limit 1) v
