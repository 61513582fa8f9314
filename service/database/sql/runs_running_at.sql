-- Runs that were running at a time, newest first. $1 states, $2 namespace, $3 job, $4 whatever, $5 started at or after,
-- $6 and $7 before this (time, id), not after the time, $8 how many, $9 the time. Null: any. A run of duration class n
-- started in the 2^n seconds before it; 99 has not ended. What has not ended may be much and old: of a namespace or a job
-- that is found by its own index.
with found as (
    select r.*
      from (select n, $9::timestamptz - make_interval(secs => 2.0 ^ n) as earliest from generate_series(0, 29) c (n)
             union all
            select 30, '-infinity') w (class, earliest)
     cross join lateral (
         select t.id, t.started_at as at, t.registers
           from runfold.runs t
          where runfold.duration_class(t.started_at, t.ended_at) = w.class::smallint
            and t.started_at is not null and ($4::boolean or true)
            and t.started_at >= greatest(w.earliest, coalesce($5::timestamptz, '-infinity'))
            and t.ended_at > $9 and t.state = any ($1)
            and ($2::text is null or t.namespace = $2) and ($3::text is null or t.job = $3)
            and (t.started_at, t.id) < ($6::timestamptz, $7::uuid)
          order by t.started_at desc, t.id desc
          limit $8
     ) r
    union all
   (select t.id, t.started_at, t.registers
      from runfold.runs t
     where $2::text is null and $3::text is null
       and runfold.duration_class(t.started_at, t.ended_at) = 99::smallint
       and t.started_at is not null and t.state = 'RUNNING' and t.state = any ($1)
       and t.started_at >= coalesce($5::timestamptz, '-infinity')
       and (t.started_at, t.id) < ($6::timestamptz, $7::uuid)
     order by t.started_at desc, t.id desc
     limit $8)
    union all
   (select t.id, t.started_at, t.registers
      from runfold.runs t
     where $3::text is not null and hashtext(t.job) = hashtext($3) and t.state = 'RUNNING'
       and t.job = $3 and ($2::text is null or t.namespace = $2) and t.state = any ($1)
       and coalesce(t.started_at, t.created_at) >= coalesce($5::timestamptz, '-infinity')
       and (coalesce(t.started_at, t.created_at), t.id) < ($6::timestamptz, $7::uuid)
     order by coalesce(t.started_at, t.created_at) desc, t.id desc
     limit $8)
    union all
   (select t.id, t.started_at, t.registers
      from runfold.runs t
     where $3::text is null and hashtext(t.namespace) = hashtext($2) and t.state = 'RUNNING'
       and t.namespace = $2 and t.state = any ($1)
       and coalesce(t.started_at, t.created_at) >= coalesce($5::timestamptz, '-infinity')
       and (coalesce(t.started_at, t.created_at), t.id) < ($6::timestamptz, $7::uuid)
     order by coalesce(t.started_at, t.created_at) desc, t.id desc
     limit $8)
)
select f.id, f.at, f.registers from found f order by f.at desc, f.id desc limit $8
