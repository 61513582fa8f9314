-- Runs of a namespace, or of jobs of a name, newest first. $1 states, $2 namespace, $3 job, $4 only what has started,
-- $5 started at or after, $6 and $7 before this (time, id), $8 how many. Null: any.
with found as (
    select r.*
      from unnest($1::text[]) as w (state)
     cross join lateral (
         select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
           from runfold.runs t
          where $3::text is not null and hashtext(t.job) = hashtext($3) and t.state = w.state
            and t.job = $3 and ($2::text is null or t.namespace = $2)
            and (coalesce(t.started_at, t.created_at), t.id) < ($6::timestamptz, $7::uuid)
            and coalesce(t.started_at, t.created_at) >= coalesce($5::timestamptz, '-infinity')
            and (t.started_at is not null or not $4::boolean)
          order by coalesce(t.started_at, t.created_at) desc, t.id desc
          limit $8
     ) r
    union all
    select r.*
      from unnest($1::text[]) as w (state)
     cross join lateral (
         select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
           from runfold.runs t
          where $3::text is null and hashtext(t.namespace) = hashtext($2) and t.state = w.state
            and t.namespace = $2
            and (coalesce(t.started_at, t.created_at), t.id) < ($6::timestamptz, $7::uuid)
            and coalesce(t.started_at, t.created_at) >= coalesce($5::timestamptz, '-infinity')
            and (t.started_at is not null or not $4::boolean)
          order by coalesce(t.started_at, t.created_at) desc, t.id desc
          limit $8
     ) r
)
select f.id, f.at, f.registers from found f order by f.at desc, f.id desc limit $8
