-- Returns the version that was told last of a dataset ({dataset_id}) until a time ({at}) and a position ({position}), and whether by a reader:
-- a row for the last event that writes or defines the dataset, and one for the last that reads it.
(select false as read, t.version, t.at, t.position
   from runfold.dataset_events t
  where t.dataset_id = {dataset_id} and t.role & 14 <> 0 and t.version is not null and t.at <= {at} and t.position <= {position}
  order by t.at desc, t.position desc limit 1)
 union all
(select true, t.version, t.at, t.position
   from runfold.dataset_events t
  where t.dataset_id = {dataset_id} and t.role & 14 = 0 and t.version is not null and t.at <= {at} and t.position <= {position}
  order by t.at desc, t.position desc limit 1)
