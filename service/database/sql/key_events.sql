-- What happened to API keys after a position, in order. $1 log, $2 position.
-- `offset 0` keeps the look-up in the index of subjects, which holds a few keys; ordered by position alone, the planner
-- may walk the whole ledger from $2 on.
select e.position, e.stream, e.kind, e.recorded_at, p.body::text
  from (select t.position, t.stream, t.kind, t.recorded_at from runfold.events t
         where t.log = $1 and t.subject = 'key' offset 0) e
  left join runfold.payloads p on p.log = $1 and p.position = e.position
 where e.position > $2
 order by e.position
