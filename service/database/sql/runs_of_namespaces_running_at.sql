-- Returns runs of some namespaces that were running at a time, as runs_running_at.sql does. Those that have not ended are found
-- by their namespaces.
-- parameters: states, first_time, first_id, far_time, limit, at
with found as (
    select r.*
      from (select n, :at::timestamptz - make_interval(secs => 2.0 ^ n) as earliest from generate_series(0, 29) c (n)
             union all
            select 30, '-infinity') w (class, earliest)
     cross join lateral (
         select t.id, t.started_at as at, t.registers
           from runfold.runs t
          where runfold.duration_class(t.started_at, t.ended_at) = w.class::smallint
            and t.started_at is not null
            and t.started_at >= greatest(w.earliest, coalesce(:far_time::timestamptz, '-infinity'))
            and t.ended_at > :at and t.state = any (:states)
            and {filters}
            and (t.started_at, t.id) < (:first_time::timestamptz, :first_id::uuid)
          order by t.started_at desc, t.id desc
          limit :limit
     ) r
    union all
    select r.*
      from unnest(:namespaces::text[]) as m (name)
     cross join lateral (
         select t.id, t.started_at, t.registers
           from runfold.runs t
          where hashtext(t.namespace) = hashtext(m.name) and t.namespace = m.name and t.state = 'RUNNING'
            and t.started_at is not null and t.state = any (:states) and {filters}
            and coalesce(t.started_at, t.created_at) >= coalesce(:far_time::timestamptz, '-infinity')
            and (coalesce(t.started_at, t.created_at), t.id) < (:first_time::timestamptz, :first_id::uuid)
          order by coalesce(t.started_at, t.created_at) desc, t.id desc
          limit :limit
     ) r
)
select f.id, f.at, f.registers from found f order by f.at desc, f.id desc limit :limit
