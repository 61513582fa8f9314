-- Returns runs whose own jobs are in some namespaces, by a time of theirs ({key}); bounds as in runs_by_time.sql.
-- parameters: states, first_time, first_id, far_time, limit
select r.id, r.at, r.registers
  from unnest(:states::text[]) as w (state)
 cross join unnest(:namespaces::text[]) as m (name)
 cross join lateral (
     select t.id, {key} as at, t.registers
       from runfold.runs t
      where hashtext(t.namespace) = hashtext(m.name) and t.namespace = m.name and t.state = w.state
        and {key} is not null
        and ({key}, t.id) {beyond} (:first_time::timestamptz, :first_id::uuid)
        and {key} {within}
        and {filters}
      order by {key} {direction}, t.id {direction}
      limit :limit
 ) r
 order by r.at {direction}, r.id {direction}
 limit :limit
