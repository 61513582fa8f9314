-- Returns the runs that read a dataset after a run wrote it, until another run wrote it after the last time that this one did: those
-- among them that read what it wrote have it as their producer (producers.sql). At most :max_runs of each dataset.
-- parameters: ids, ats, run_ids, max_events, max_runs
select distinct w.run_id as writer_id, r.run_id
  from unnest(:ids::uuid[], :ats::timestamptz[], :run_ids::uuid[]) as w (id, at, run_id)
 cross join lateral (
     select min(o.at) as until
       from (select v.run_id, v.at, v.position, max(v.at) filter (where v.run_id = w.run_id) over () as last
               from (select t.run_id, t.at, t.position
                       from {names} a
                      cross join unnest(array[2, 3]::smallint[]) as o (role)
                      cross join lateral (select e.run_id, e.at, e.position
                                            from runfold.dataset_events e
                                           where e.dataset_id = a.id and e.role = o.role and e.at >= w.at
                                           order by e.at, e.position limit :max_events) t) v) o
      where o.run_id <> w.run_id and o.at > o.last
 ) u
 cross join lateral (
     select distinct t.run_id
       from {names} a
      cross join unnest(array[1, 3]::smallint[]) as o (role)
      cross join lateral (select e.run_id
                            from runfold.dataset_events e
                           where e.dataset_id = a.id and e.role = o.role and e.at >= w.at
                             and (u.until is null or e.at <= u.until) and e.run_id <> w.run_id
                           order by e.at, e.position limit :max_events) t
      limit :max_runs
 ) r
