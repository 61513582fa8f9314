-- Returns runs across jobs, newest first; :namespace and :job are null here. (:before_time, :before_id) is compared as
-- one row: with two separate bounds the scan would begin at the end of the index.
-- parameters: states, namespace, job, started_only, started_from, before_time, before_id, limit
select r.id, r.at, r.registers
  from unnest(:states::text[]) as w (state)
 cross join lateral (
     select t.id, coalesce(t.started_at, t.created_at) as at, t.registers
       from runfold.runs t
      where t.state = w.state
        and :namespace::text is null and :job::text is null
        and (coalesce(t.started_at, t.created_at), t.id) < (:before_time::timestamptz, :before_id::uuid)
        and coalesce(t.started_at, t.created_at) >= coalesce(:started_from::timestamptz, '-infinity')
        and (t.started_at is not null or not :started_only::boolean)
      order by coalesce(t.started_at, t.created_at) desc, t.id desc
      limit :limit
 ) r
 order by r.at desc, r.id desc
 limit :limit
