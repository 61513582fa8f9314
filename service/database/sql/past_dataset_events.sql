-- Returns the last events that name a dataset, by any of some names, up to a time and a position, the last ones first: at most :per_role of
-- each role, those of runfold.dataset_events.
-- parameters: log, ids, at, position, per_role
select v.position, v.subject, v.stream, v.kind, v.state, v.transitioned_at, v.recorded_at, v.namespace, v.job, v.parent_run,
       v.source, v.actor, v.fact, v.request_digest, v.payload_digest
  from (
      select s.position, s.at
        from unnest(:ids::uuid[]) as w (id)
       cross join (values {roles}) as r (role)
       cross join lateral (
           select c.position, c.at
             from runfold.dataset_events c
            where c.dataset_id = w.id and c.role = r.role and c.at <= :at and c.position <= :position
            order by c.at desc, c.position desc
            limit :per_role
       ) s
       order by s.at desc, s.position desc
       limit 256
  ) t
 cross join lateral (
     select e.* from runfold.events e where e.log = :log and e.position = t.position offset 0
 ) v
 order by t.at desc, t.position desc
