-- Returns runs across jobs, by a time of theirs ({key}) and id, in one direction from (:first_time, :first_id), which is not
-- included, to :far_time. The first bound is a single condition: with two, the index is entered at its end.
-- parameters: states, first_time, first_id, far_time, limit
select r.id, r.at, r.registers
  from unnest(:states::text[]) as w (state)
 cross join lateral (
     select t.id, {key} as at, t.registers
       from runfold.runs t
      where t.state = w.state
        and {key} is not null
        and ({key}, t.id) {beyond} (:first_time::timestamptz, :first_id::uuid)
        and {key} {within}
        and {filters}
      order by {key} {direction}, t.id {direction}
      limit :limit
 ) r
 order by r.at {direction}, r.id {direction}
 limit :limit
