-- Selects events by position. Each position is compared as a range, in order: with an equality the planner considers a key
-- that begins with log as good while the table is small, and that plan, which reads the whole log, stays cached while the
-- table grows.
-- parameters: positions
select t.* from unnest(:positions::bigint[]) as w (position)
           cross join lateral (
               select * from runfold.events i
                where i.log = :log and i.position between w.position and w.position order by i.position offset 0
           ) t
           where t.position > :after and t.position <= :upto
             and {event_filters}
             and (:within::text[] is null or t.namespace = any (:within))
           limit :limit
