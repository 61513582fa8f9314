-- Runs across jobs, newest first. $1 states, $2 namespace, $3 job (both null here), $4 only what has started, $5 started
-- at or after (null: any), $6 and $7 before this (time, id): one bound, or the index is entered at its end, $8 how many.
select r.id, r.at, r.registers
  from unnest($1::text[]) as w (state)
 cross join lateral (
     select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
       from runfold.runs t
      where t.state = w.state
        and $2::text is null and $3::text is null
        and (coalesce(t.started_at, t.created_at), t.id) < ($6::timestamptz, $7::uuid)
        and coalesce(t.started_at, t.created_at) >= coalesce($5::timestamptz, '-infinity')
        and (t.started_at is not null or not $4::boolean)
      order by coalesce(t.started_at, t.created_at) desc, t.id desc
      limit $8
 ) r
 order by r.at desc, r.id desc
 limit $8
