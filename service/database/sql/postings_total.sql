-- Counts the events that have one of some values of one facet.
-- parameters: log, facet, values, first_chunk, last_chunk
select coalesce(sum(t.total), 0)::bigint as total
  from unnest(:values::text[]) as w (value)
 cross join lateral (
     select p.total from runfold.event_postings p
      where p.log = :log and p.facet = :facet and p.hash = hashtextextended(w.value, 0) and p.chunk >= :first_chunk
        and p.chunk <= :last_chunk offset 0
 ) t
