-- Where the events are that have one value of each facet asked for. $1 log, $2 facets, $3 values (one each; a facet may
-- come with several), $4 first chunk, $5 last chunk. Chunks that lack a facet are passed over without their offsets.
with wanted as (select w.facet, hashtextextended(w.value, 0) as hash from unnest($2::smallint[], $3::text[]) w (facet, value)),
     chunks as materialized (
         select t.chunk
           from wanted w
          cross join lateral (
              select p.chunk from runfold.event_postings p
               where p.log = $1 and p.facet = w.facet and p.hash = w.hash and p.chunk >= $4 and p.chunk <= $5 offset 0
          ) t
          group by t.chunk
         having count(distinct w.facet) = (select count(distinct v.facet) from wanted v)
     )
select c.chunk, w.facet, t.total, t.offsets
  from chunks c
 cross join wanted w
 cross join lateral (
     select p.total, p.offsets from runfold.event_postings p
      where p.log = $1 and p.facet = w.facet and p.hash = w.hash and p.chunk = c.chunk offset 0
 ) t
 order by c.chunk, w.facet
