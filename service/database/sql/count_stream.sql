-- Counts the events of a run that match a filter, between two positions. The upper bound is applied outside, as in
-- which_stream.sql.
-- parameters: log, after, upto, kinds, states, sources, namespace, job, actor, within, run
select count(*) as total
  from (
     select t.position from runfold.events t
      where t.log = :log and t.subject = 'run' and t.stream = :run and t.position > :after
        and (:kinds::text[] is null or t.kind = any (:kinds))
        and (:states::text[] is null or t.state = any (:states))
        and (:sources::text[] is null or t.source = any (:sources))
        and (:namespace::text is null or t.namespace = :namespace)
        and (:job::text is null or t.job = :job)
        and (:actor::text is null or t.actor = :actor)
        and (:within::text[] is null or t.namespace = any (:within))
      order by t.position offset 0
  ) s
 where s.position <= :upto
