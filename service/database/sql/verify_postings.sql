-- Returns all postings, chunk by chunk.
-- parameters: log
select p.chunk, p.facet, p.hash, p.total, p.offsets
  from runfold.event_postings p
 where p.log = :log
 order by p.chunk, p.facet, p.hash
