-- The condition that an API key that is bound to namespaces may see a run t, all of whose jobs are within the binding; one of
-- them is, as the statement itself sees to. Nearly no run has a row in crossing_runs. `offset 0` keeps that an index probe.
not exists (select from (select c.namespaces from runfold.crossing_runs c where c.run_id = t.id offset 0) c
                  cross join lateral unnest(c.namespaces) as m (id)
                   left join runfold.namespaces n on n.id = m.id
                  where {within} is not true)
