-- Returns of each run whether it has events, and whether one of them is within a binding. The run's first event nearly always is.
-- parameters: log, runs
select w.stream,
       exists (select from (select t.position from runfold.events t
                             where t.log = :log and t.subject = 'run' and t.stream = w.stream
                             order by t.position limit 1) f) as known,
       exists (select from (select t.namespace from runfold.events t
                             where t.log = :log and t.subject = 'run' and t.stream = w.stream
                             order by t.position offset 0) t
                where {within}) as own
  from unnest(:runs::uuid[]) as w (stream)
