-- Returns the versions of a dataset with these names, the newest first, each with the run that was the first to write it, if one did.
-- known_at: the time of the event that was the first to tell it, where the earliest one was not known at the position.
-- parameters: ids, at, position, limit, offset
select v.dataset_id, v.version, v.created_at, coalesce(k.at, v.created_at) as known_at, v.position, e.run_id, v.content as registers
  from (
     select t.* from runfold.dataset_versions t
      where t.dataset_id = any (:ids::uuid[])
        and (:at::timestamptz is null or t.created_at <= :at) and (:position::bigint is null or t.position <= :position)
        and (:at::timestamptz is null or :position::bigint is null or exists (
            select from runfold.dataset_events e
             where e.dataset_id = t.dataset_id and e.version = t.version and e.at <= :at and e.position <= :position))
      order by t.created_at desc, t.version limit :limit offset :offset
  ) v
  left join lateral (
     select t.at from runfold.dataset_events t
      where :position::bigint is not null and t.dataset_id = v.dataset_id and t.position = v.position
        and not exists (
            select from (values {roles}) as r (role)
             cross join lateral (select from runfold.dataset_events c
                                  where c.dataset_id = v.dataset_id and c.role = r.role and c.at = v.created_at
                                    and c.version = v.version and c.position <= :position limit 1) o)
     offset 0
  ) k on true
  left join lateral ({creator}) e on true
 order by v.created_at desc, v.version
