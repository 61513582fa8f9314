-- The condition that an event matches filters. A filter that is null matches any event.
-- parameters: kinds, states, sources, namespace, job, actor
(:kinds::text[] is null or t.kind = any (:kinds))
             and (:states::text[] is null or t.state = any (:states))
             and (:sources::text[] is null or t.source = any (:sources))
             and (:namespace::text is null or t.namespace = :namespace)
             and (:job::text is null or t.job = :job)
             and (:actor::text is null or t.actor = :actor)
