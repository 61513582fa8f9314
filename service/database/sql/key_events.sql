-- Returns the events of API keys after a position, in order. `offset 0` keeps the look-up in the index of subjects, which has
-- few keys; ordered by position alone, the planner may read the whole ledger from :after on.
-- parameters: log, after
select e.position, e.stream, e.kind, e.recorded_at, p.body::text as body
  from (select t.position, t.stream, t.kind, t.recorded_at from runfold.events t
         where t.log = :log and t.subject = 'key' offset 0) e
  left join lateral (
      select t.body from runfold.payloads t where t.log = :log and t.position = e.position offset 0
  ) p on true
 where e.position > :after
 order by e.position
