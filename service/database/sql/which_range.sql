-- Selects events between two positions.
select t.* from runfold.events t
           where t.log = :log and t.position > :after and t.position <= :upto
             and {event_filters}
             and (:within::text[] is null or t.namespace = any (:within))
           order by t.position {direction} limit :limit
