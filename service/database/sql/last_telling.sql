-- Returns the version that was told last of a dataset ({dataset_id}) until a time ({at}) and a position ({position}), and whether by a reader:
-- a row for the last event that writes or defines the dataset, and one for the last that reads it. Of several events of one time, that one
-- counts of which the registers of the dataset are, whatever the order in which they were recorded.
(select false as read, t.version, t.at, t.position
   from (select m.at from runfold.dataset_events m
          where m.dataset_id = {dataset_id} and m.role & 14 <> 0 and m.version is not null and m.at <= {at}
            and m.position <= {position}
          order by m.at desc, m.position desc limit 1) l
  cross join lateral (
      select s.version, s.at, s.position, count(*) over () as together
        from runfold.dataset_events s
       where s.dataset_id = {dataset_id} and s.role & 14 <> 0 and s.version is not null and s.at = l.at
         and s.position <= {position}
  ) t
  order by case when t.together > 1 then {told_order} end desc limit 1)
 union all
(select true as read, t.version, t.at, t.position
   from (select m.at from runfold.dataset_events m
          where m.dataset_id = {dataset_id} and m.role & 14 = 0 and m.version is not null and m.at <= {at}
            and m.position <= {position}
          order by m.at desc, m.position desc limit 1) l
  cross join lateral (
      select s.version, s.at, s.position, count(*) over () as together
        from runfold.dataset_events s
       where s.dataset_id = {dataset_id} and s.role & 14 = 0 and s.version is not null and s.at = l.at
         and s.position <= {position}
  ) t
  order by case when t.together > 1 then {told_order} end desc limit 1)
