-- Returns which of some facts a run has.
-- parameters: log, run, facts
select w.fact
  from unnest(:facts::bytea[]) as w (fact)
 where exists (
     select from (
         select t.fact from runfold.events t
          where t.log = :log and t.subject = 'run' and t.stream = :run and t.fact = w.fact offset 0
     ) e
 )
