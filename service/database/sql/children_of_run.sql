-- Returns the runs that name a run as their parent, newest first: all, or those that a bound API key may see.
-- parameters: parent, limit, offset
select t.id, t.registers
  from runfold.runs t
 where t.parent_run = :parent and {visible_run}
 order by t.created_at desc, t.id desc
 limit :limit offset :offset
