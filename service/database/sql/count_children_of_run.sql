-- Counts the runs that name a run as their parent.
-- parameters: parent
select count(*) as total from runfold.runs r where r.parent_run = :parent
