-- How many events have one of some values of one facet. $1 log, $2 facet, $3 values, $4 first chunk, $5 last chunk.
select coalesce(sum(t.total), 0)::bigint
  from unnest($3::text[]) as w (value)
 cross join lateral (
     select p.total from runfold.event_postings p
      where p.log = $1 and p.facet = $2 and p.hash = hashtextextended(w.value, 0) and p.chunk >= $4 and p.chunk <= $5
     offset 0
 ) t
