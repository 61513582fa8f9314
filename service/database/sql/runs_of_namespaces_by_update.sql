-- Returns runs whose own jobs are in some namespaces, by the position of their last event; bounds as in runs_by_update.sql.
-- parameters: states, first_position, far_position, limit
select r.id, r.at, r.registers
  from unnest(:states::text[]) as w (state)
 cross join unnest(:namespaces::text[]) as m (name)
 cross join lateral (
     select t.id, t.position as at, t.registers
       from runfold.runs t
      where hashtext(t.namespace) = hashtext(m.name) and t.namespace = m.name and t.state = w.state
        and t.position {beyond} :first_position::bigint
        and t.position {within} :far_position::bigint
        and {filters}
      order by t.position {direction}
      limit :limit
 ) r
 order by r.at {direction}
 limit :limit
