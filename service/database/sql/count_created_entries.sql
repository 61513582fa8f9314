-- Returns how many jobs (kind 0) or datasets (kind 1) were first seen in each interval of time, deleted ones, too: :bounds are the ends
-- of the intervals, ascending; before all of them is interval 0.
-- parameters: kind, bounds
select width_bucket(e.created_at, :bounds::timestamptz[]) as interval, count(*) as total
  from runfold.search_entries e
 where e.kind = :kind and {within}
 group by 1
