-- Returns the version of each dataset that was told last under this name up to a time: by an event that writes or defines it, else by one
-- that reads it.
-- parameters: ids, times
select w.id, w.at, v.version
  from unnest(:ids::uuid[], :times::timestamptz[]) as w (id, at)
 cross join lateral (select e.version from ({last_telling}) e order by e.read limit 1) v
