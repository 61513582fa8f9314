-- Returns the runs that name one of some runs as their parent, by columns: in the order of these, then the oldest first. All, or those
-- that a bound API key may see.
-- parameters: parents, limit
select c.id, c.parent_run, c.namespace, c.job, c.state, c.created_at, c.started_at, c.ended_at
  from unnest(:parents::uuid[]) with ordinality as p (id, place)
 cross join lateral (
     select t.id, t.parent_run, t.namespace, t.job, t.state, t.created_at, t.started_at, t.ended_at
       from runfold.runs t
      where t.parent_run = p.id and {visible_run}
      order by t.created_at, t.id
      limit :limit
 ) c
 order by p.place, c.created_at, c.id
 limit :limit
