-- Counts the events of a run that match a filter, between two positions. The upper bound is applied outside, as in
-- which_stream.sql.
-- parameters: log, after, upto, kinds, states, sources, namespace, job, actor, within, run
select count(*) as total
  from (
     select t.position from runfold.events t
      where t.log = :log and t.subject = 'run' and t.stream = :run and t.position > :after
        and {event_filters}
        and (:within::text[] is null or t.namespace = any (:within))
      order by t.position offset 0
  ) s
 where s.position <= :upto
