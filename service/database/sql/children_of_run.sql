-- The runs that name a run as their parent, newest first. $1 parent, $2 limit, $3 offset.
select r.id, r.registers
  from runfold.runs r
 where r.parent_run = $1
 order by r.created_at desc, r.id desc
 limit $2 offset $3
