-- Returns a run and the runs above it by columns, each the parent that the one before names: :above levels at most, as far as they are
-- recorded, or as a bound API key may see them. In a circle of parents they come again.
-- parameters: run, above
with recursive up (id, parent_run, namespace, job, state, created_at, started_at, ended_at, level) as (
    select t.id, t.parent_run, t.namespace, t.job, t.state, t.created_at, t.started_at, t.ended_at, 0
      from runfold.runs t
     where t.id = :run and {visible_run}
     union all
    select t.id, t.parent_run, t.namespace, t.job, t.state, t.created_at, t.started_at, t.ended_at, u.level + 1
      from up u
      join runfold.runs t on t.id = u.parent_run
     where u.level < :above and {visible_run}
)
select id, parent_run, namespace, job, state, created_at, started_at, ended_at from up order by level
