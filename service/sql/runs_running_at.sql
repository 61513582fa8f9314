-- Runs that were running at a time, newest first. $1 states, $2 namespace, $3 job, $4 whatever, $5 started at or after,
-- $6 and $7 before this (time, id), not after the time, $8 how many, $9 the time. Null: any. A run of duration class n
-- started in the 2^n seconds before it; 99 has not ended.
select r.id, r.at, r.registers
  from (select n, case n when 99 then '-infinity' else $9::timestamptz - make_interval(secs => 2.0 ^ n) end as earliest
          from (select generate_series(0, 29) union all values (99)) c (n)
         union all
        select 30, '-infinity') w (class, earliest)
 cross join lateral (
     select t.id, t.started_at as at, t.registers
       from runfold.runs t
      where runfold.duration_class(t.started_at, t.ended_at) = w.class::smallint
        and t.started_at is not null and ($4::boolean or true)
        and t.started_at >= greatest(w.earliest, coalesce($5::timestamptz, '-infinity'))
        and (t.ended_at > $9 or (t.ended_at is null and t.state = 'RUNNING'))
        and t.state = any ($1)
        and ($2::text is null or t.namespace = $2) and ($3::text is null or t.job = $3)
        and (t.started_at, t.id) < ($6::timestamptz, $7::uuid)
      order by t.started_at desc, t.id desc
      limit $8
 ) r
 order by r.at desc, r.id desc
 limit $8
