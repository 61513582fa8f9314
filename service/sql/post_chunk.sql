-- Posts a chunk of 8,192 positions. $1 log, $2 chunk. What is posted is posted; twice is the same. The row of facet 0 says so.
insert into runfold.event_postings (log, facet, hash, chunk, total, offsets)
select $1, k.facet, k.hash, $2::int, count(*), string_agg(int2send((e.position - 1 - $2::int::bigint * 8192)::smallint), '')
  from runfold.events e
 cross join lateral (
     values (1::smallint, hashtextextended(e.namespace, 0)), (2, hashtextextended(e.job, 0)),
            (3, hashtextextended(e.actor, 0)), (4, hashtextextended(e.kind, 0)), (5, hashtextextended(e.state, 0)),
            (6, hashtextextended(e.source, 0))
 ) k (facet, hash)
 where e.log = $1 and e.position > $2::int::bigint * 8192 and e.position <= ($2::int::bigint + 1) * 8192
   and k.hash is not null
 group by k.facet, k.hash
 union all
select $1, 0, 0, $2::int, 8192, ''
on conflict do nothing
