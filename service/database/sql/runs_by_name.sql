-- Returns runs of a namespace, or of jobs of a name, newest first. Null: any.
-- parameters: states, namespace, job, started_only, started_from, before_time, before_id, limit
with found as (
    select r.*
      from unnest(:states::text[]) as w (state)
     cross join lateral (
         select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
           from runfold.runs t
          where :job::text is not null and hashtext(t.job) = hashtext(:job) and t.state = w.state
            and t.job = :job and (:namespace::text is null or t.namespace = :namespace)
            and (coalesce(t.started_at, t.created_at), t.id) < (:before_time::timestamptz, :before_id::uuid)
            and coalesce(t.started_at, t.created_at) >= coalesce(:started_from::timestamptz, '-infinity')
            and (t.started_at is not null or not :started_only::boolean)
          order by coalesce(t.started_at, t.created_at) desc, t.id desc
          limit :limit
     ) r
    union all
    select r.*
      from unnest(:states::text[]) as w (state)
     cross join lateral (
         select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
           from runfold.runs t
          where :job::text is null and hashtext(t.namespace) = hashtext(:namespace) and t.state = w.state
            and t.namespace = :namespace
            and (coalesce(t.started_at, t.created_at), t.id) < (:before_time::timestamptz, :before_id::uuid)
            and coalesce(t.started_at, t.created_at) >= coalesce(:started_from::timestamptz, '-infinity')
            and (t.started_at is not null or not :started_only::boolean)
          order by coalesce(t.started_at, t.created_at) desc, t.id desc
          limit :limit
     ) r
)
select f.id, f.at, f.registers from found f order by f.at desc, f.id desc limit :limit
