-- Returns the runs that name a run as their parent, newest first.
-- parameters: parent, limit, offset
select r.id, r.registers
  from runfold.runs r
 where r.parent_run = :parent
 order by r.created_at desc, r.id desc
 limit :limit offset :offset
