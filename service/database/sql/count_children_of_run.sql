-- $1 parent.
select count(*) from runfold.runs r where r.parent_run = $1
