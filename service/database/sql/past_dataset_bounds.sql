-- Returns the first and the last time at which events name a dataset, by any of some names, up to a time and a position, and which of some
-- other times events have that are among these (known), or that write or define it (written). The roles are those of runfold.dataset_events.
-- parameters: ids, at, position, times
with known as materialized (
    select distinct t.at, r.role & 14 <> 0 as writes
      from unnest(:times::timestamptz[]) as t (at)
     cross join unnest(:ids::uuid[]) as w (id)
     cross join (values {roles}) as r (role)
     cross join lateral (select from runfold.dataset_events e
                          where e.dataset_id = w.id and e.role = r.role and e.at = t.at and e.position <= :position limit 1) k
     where t.at <= :at
)
select min(f.at) as first_at, max(l.at) as last_at,
       array(select k.at from known k) as known, array(select k.at from known k where k.writes) as written
  from unnest(:ids::uuid[]) as w (id)
 cross join (values {roles}) as r (role)
 cross join lateral (select e.at from runfold.dataset_events e
                      where e.dataset_id = w.id and e.role = r.role and e.at <= :at and e.position <= :position
                      order by e.at, e.position limit 1) f
 cross join lateral (select e.at from runfold.dataset_events e
                      where e.dataset_id = w.id and e.role = r.role and e.at <= :at and e.position <= :position
                      order by e.at desc, e.position desc limit 1) l
