-- Counts the events of a filter between two positions. A filter that is null matches any event. `order by` makes the planner
-- take the index on positions while the table is small, too.
-- parameters: log, after, upto, kinds, states, sources, namespace, job, actor, within
select count(*) as total
  from (
     select from runfold.events t
      where t.log = :log and t.position > :after and t.position <= :upto
        and {event_filters}
        and (:within::text[] is null or t.namespace = any (:within))
      order by t.position offset 0
  ) s
