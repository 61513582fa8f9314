-- Stores the postings of a chunk (service/audit/bitmaps.py). Storing them twice changes nothing. The row of facet 0 marks the
-- chunk as posted.
-- parameters: log, chunk, facets, hashes, totals, offsets
insert into {schema}.event_postings (log, facet, hash, chunk, total, offsets)
select :log::int, p.facet, p.hash, :chunk::int, p.total, p.offsets
  from unnest(:facets::smallint[], :hashes::bigint[], :totals::int[], :offsets::bytea[]) p (facet, hash, total, offsets)
 union all
select :log::int, 0, 0, :chunk::int, 8192, ''
on conflict do nothing
