-- Returns where the events are that have one of the wanted values of each wanted facet; :facets and :values have one element
-- a value. Chunks that lack a facet are skipped without reading their offsets.
-- parameters: log, facets, values, first_chunk, last_chunk
with wanted as (
         select w.facet, hashtextextended(w.value, 0) as hash
           from unnest(:facets::smallint[], :values::text[]) w (facet, value)
     ),
     chunks as materialized (
         select t.chunk
           from wanted w
          cross join lateral (
              select p.chunk from runfold.event_postings p
               where p.log = :log and p.facet = w.facet and p.hash = w.hash and p.chunk >= :first_chunk
                 and p.chunk <= :last_chunk offset 0
          ) t
          group by t.chunk
         having count(distinct w.facet) = (select count(distinct v.facet) from wanted v)
     )
select c.chunk, w.facet, t.total, t.offsets
  from chunks c
 cross join wanted w
 cross join lateral (
     select p.total, p.offsets from runfold.event_postings p
      where p.log = :log and p.facet = w.facet and p.hash = w.hash and p.chunk = c.chunk offset 0
 ) t
 order by c.chunk, w.facet
