-- Counts the summaries of a run at a level that end after position :after.
-- parameters: run, level, after
select count(*) as total from {schema}.run_summaries s where s.id = :run and s.level = :level and s.last_position > :after
