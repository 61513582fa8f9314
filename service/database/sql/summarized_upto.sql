-- Returns the last position of a run that is summarized at a level; 0 if none is.
-- parameters: run, level
select coalesce(max(s.last_position), 0) as position from {schema}.run_summaries s where s.id = :run and s.level = :level
