-- Returns runs across jobs, by the position of their last event, in one direction from :first_position, which is not
-- included, to :far_position, which is.
-- parameters: states, first_position, far_position, limit
select r.id, r.at, r.registers
  from unnest(:states::text[]) as w (state)
 cross join lateral (
     select t.id, t.position as at, t.registers
       from runfold.runs t
      where t.state = w.state
        and t.position {beyond} :first_position::bigint
        and t.position {within} :far_position::bigint
        and {filters}
      order by t.position {direction}
      limit :limit
 ) r
 order by r.at {direction}
 limit :limit
