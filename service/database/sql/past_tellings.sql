-- Returns the last events that told something of datasets other than what was read, up to a time and a position, under any of their names:
-- events of runs and of jobs that write them, and DatasetEvents. The roles are those of runfold.dataset_events.
-- parameters: log, ids, at, position, per_dataset, most
select w.id, t.dataset_id as name_id, e.*
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral (
     select s.dataset_id, s.position, s.at
       from (select w.id union select o.id from {names} o) a
      cross join (values (2::smallint), (3::smallint), (4::smallint), (18::smallint), (19::smallint)) as r (role)
      cross join lateral (
          select c.dataset_id, c.position, c.at
            from runfold.dataset_events c
           where c.dataset_id = a.id and c.role = r.role and c.at <= :at and c.position <= :position
           order by c.at desc, c.position desc
           limit :per_dataset
       ) s
      order by s.at desc, s.position desc
      limit :per_dataset
  ) t
 cross join lateral (
     select v.position, v.subject, v.stream, v.kind, v.state, v.transitioned_at, v.recorded_at, v.namespace, v.job, v.parent_run,
            v.source, v.actor, v.fact, v.request_digest, v.payload_digest
       from runfold.events v where v.log = :log and v.position = t.position offset 0
  ) e
 order by w.n, t.at desc, t.position desc
 limit :most
