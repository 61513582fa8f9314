-- How many events of a filter lie between positions. $1 log, $2 after, $3 up to, $4 kinds, $5 states, $6 sources,
-- $7 namespace, $8 job, $9 actor (null: any). `order by` makes it the index on positions also while the table is small.
select count(*)
  from (
     select from runfold.events t
      where t.log = $1 and t.position > $2 and t.position <= $3
        and ($4::text[] is null or t.kind = any ($4))
        and ($5::text[] is null or t.state = any ($5))
        and ($6::text[] is null or t.source = any ($6))
        and ($7::text is null or t.namespace = $7)
        and ($8::text is null or t.job = $8)
        and ($9::text is null or t.actor = $9)
      order by t.position offset 0
  ) s
