-- Returns the numbers of OpenLineage events of each type in intervals of time, those of some namespaces, or of all (null). :bounds are
-- their begins, ascending, and the end of the last one, in quarters of an hour. interval: from 1.
-- parameters: log, namespaces, bounds
select width_bucket(c.quarter, :bounds::bigint[]) as interval, c.type, sum(c.total)::bigint as total
  from unnest(coalesce(:namespaces::text[], array[null::text])) as n (namespace)
 cross join lateral (
     select t.quarter, t.type, t.total from runfold.event_type_counts t
      where t.log = :log and t.namespace = coalesce(runfold.namespace_digest(n.namespace), '')
        and t.quarter >= (:bounds::bigint[])[1] and t.quarter < (:bounds::bigint[])[cardinality(:bounds::bigint[])]
     offset 0
 ) c
 group by 1, 2
