-- Counts the runs that name a run as their parent: all, or those that a bound API key may see.
-- parameters: parent
select count(*) as total from runfold.runs t where t.parent_run = :parent and {visible_run}
