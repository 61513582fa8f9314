-- Returns the version of each dataset that was told last up to a time each and a position, under any of its names: by an event that
-- writes or defines the dataset; what readers tell counts where there is none.
-- parameters: ids, ats, position
select w.id, w.at, v.version
  from unnest(:ids::uuid[], :ats::timestamptz[]) as w (id, at)
 cross join lateral (
     select t.version
       from (select e.*, count(*) over (partition by e.read, e.at) as together
               from {names} a
              cross join lateral ({last_telling}) e) t
      order by t.read, t.at desc, case when t.together > 1 then {told_order} end desc
      limit 1
  ) v
