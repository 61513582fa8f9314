-- Selects events of a run, or of another stream. Only the bound at which it begins is applied together with the stream: with both, the planner considers the index
-- on positions as selective as the primary key while the table is small, and that plan stays cached while the table grows.
-- parameters: run
select s.* from (
               select * from runfold.events t
                where t.log = :log and t.subject = '{subject}' and t.stream = :run and {begin}
                  and {event_filters}
                  and (:within::text[] is null or t.namespace = any (:within))
                order by t.position {direction} limit :limit
           ) s
           where {end}
