-- Only the lower bound stands beside the stream: with both, the planner takes the index on positions for as selective as the
-- primary key while the table is small, and that plan stays cached while the table grows.
select s.* from (
               select * from runfold.events t
                where t.log = $1 and t.subject = 'run' and t.stream = $12 and t.position > $2
                  and ($6::text[] is null or t.kind = any ($6))
                  and ($7::text[] is null or t.state = any ($7))
                  and ($8::text[] is null or t.source = any ($8))
                  and ($9::text is null or t.namespace = $9)
                  and ($10::text is null or t.job = $10)
                  and ($11::text is null or t.actor = $11)
                order by t.position limit $4
           ) s
           where s.position <= $3
