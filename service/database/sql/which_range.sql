select t.* from runfold.events t
           where t.log = $1 and t.position > $2 and t.position <= $3
             and ($6::text[] is null or t.kind = any ($6))
             and ($7::text[] is null or t.state = any ($7))
             and ($8::text[] is null or t.source = any ($8))
             and ($9::text is null or t.namespace = $9)
             and ($10::text is null or t.job = $10)
             and ($11::text is null or t.actor = $11)
           order by t.position limit $4
