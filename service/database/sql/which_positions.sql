-- A position is asked for as a range, in order: by equality the planner takes a key that begins with log for as good while the
-- table is small, and that plan, which reads the whole log, stays cached while it grows.
select t.* from unnest($12::bigint[]) as w (position)
           cross join lateral (
               select * from runfold.events i
                where i.log = $1 and i.position between w.position and w.position order by i.position offset 0
           ) t
           where t.position > $2 and t.position <= $3
             and ($6::text[] is null or t.kind = any ($6))
             and ($7::text[] is null or t.state = any ($7))
             and ($8::text[] is null or t.source = any ($8))
             and ($9::text is null or t.namespace = $9)
             and ($10::text is null or t.job = $10)
             and ($11::text is null or t.actor = $11)
           limit $4
