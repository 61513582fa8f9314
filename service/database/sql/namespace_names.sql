-- Returns what the columns of a namespace's row say of it, and when the last event that concerns it was recorded.
-- parameters: log, id
select n.name, n.position, n.hidden, n.deleted, e.recorded_at
  from runfold.namespaces n
  left join lateral (
      select t.recorded_at from runfold.events t
       where t.log = :log and t.position between n.position and n.position order by t.position offset 0
  ) e on true
 where n.id = :id
 order by n.position desc
 limit 1
