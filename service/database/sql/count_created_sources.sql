-- Returns how many sources were first seen in each interval of time, as count_created_entries.sql does.
-- parameters: bounds
select width_bucket(s.created_at, :bounds::timestamptz[]) as interval, count(*) as total from runfold.sources s group by 1
