-- Returns the run that was the first to write a version v of a dataset, by the times of events, in any order of their positions; null where a
-- definition without a run was before. {known}: a condition of the events that are looked at. Where only readers told the version at first,
-- the next 1,000 events of writers are looked at.
select s.run_id
  from (
      select t.run_id, t.version, t.at, t.role
        from runfold.dataset_events t
       where t.dataset_id = v.dataset_id and t.role & 14 <> 0 and t.version is not null and t.at >= v.created_at and {known}
       order by t.at, t.position
       limit 1000
  ) s
 where s.version = v.version and (s.run_id is not null or s.role = 8)
 order by s.at, s.run_id
 limit 1
