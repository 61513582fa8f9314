-- Returns the offsets at which each value of each facet occurs in a chunk of 8,192 positions.
-- parameters: log, chunk
select k.facet, k.hash, string_agg(int2send((e.position - 1 - :chunk::int::bigint * 8192)::smallint), '') as offsets
  from runfold.events e
 cross join lateral (
     values (1::smallint, hashtextextended(e.namespace, 0)), (2, hashtextextended(e.job, 0)),
            (3, hashtextextended(e.actor, 0)), (4, hashtextextended(e.kind, 0)), (5, hashtextextended(e.state, 0)),
            (6, hashtextextended(e.source, 0))
 ) k (facet, hash)
 where e.log = :log and e.position > :chunk::int::bigint * 8192 and e.position <= (:chunk::int::bigint + 1) * 8192
   and k.hash is not null
 group by k.facet, k.hash
