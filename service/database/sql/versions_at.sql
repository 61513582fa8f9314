-- Returns the version of each dataset that was told last up to a time each and a position, under any of its names: by an event that
-- writes or defines the dataset; what readers tell counts where there is none.
-- parameters: ids, ats, position
select w.id, w.at, v.version
  from unnest(:ids::uuid[], :ats::timestamptz[]) as w (id, at)
 cross join lateral (
     select e.version
       from {names} a
      cross join lateral (
          (select 0 as rank, t.version, t.at, t.position
             from runfold.dataset_events t
            where t.dataset_id = a.id and t.version is not null and t.at <= w.at and t.position <= :position and t.role & 14 <> 0
            order by t.at desc, t.position desc limit 1)
           union all
          (select 1, t.version, t.at, t.position
             from runfold.dataset_events t
            where t.dataset_id = a.id and t.version is not null and t.at <= w.at and t.position <= :position
            order by t.at desc, t.position desc limit 1)
      ) e
      order by e.rank, e.at desc, e.position desc
      limit 1
  ) v
