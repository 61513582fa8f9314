-- Returns the version of each dataset that was told last up to a time each and a position, under any of its names: by an event that
-- writes or defines the dataset; what readers tell counts where there is none.
-- parameters: ids, ats, position
select w.id, w.at, v.version
  from unnest(:ids::uuid[], :ats::timestamptz[]) as w (id, at)
 cross join lateral (
     select e.version
       from {names} a
      cross join lateral ({last_telling}) e
      order by e.read, e.at desc, e.position desc
      limit 1
  ) v
