-- Returns for each dataset the run that wrote it last up to a time, other than a given one, under any of its names. Of runs that
-- wrote it at one time, that one counts whose id is larger, whatever the order in which they were recorded.
-- parameters: ids, ats, run_ids
select w.n, e.run_id
  from unnest(:ids::uuid[], :ats::timestamptz[], :run_ids::uuid[]) with ordinality as w (id, at, run_id, n)
 cross join lateral (
     select r.run_id
       from {names} a
      cross join unnest(array[2, 3]::smallint[]) as o (role)
      cross join lateral (select t.run_id, t.at
                            from runfold.dataset_events t
                           where t.dataset_id = a.id and t.role = o.role and t.at <= w.at and t.run_id <> w.run_id
                           order by t.at desc, t.run_id desc limit 1) r
      order by r.at desc, r.run_id desc
      limit 1
 ) e
