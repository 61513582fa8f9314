-- Posts a chunk. $1 log, $2 chunk, $3 facets, $4 hashes, $5 totals, $6 offsets (service/offsets.py). What is posted is posted;
-- twice is the same. The row of facet 0 says so.
insert into runfold.event_postings (log, facet, hash, chunk, total, offsets)
select $1::int, p.facet, p.hash, $2::int, p.total, p.offsets
  from unnest($3::smallint[], $4::bigint[], $5::int[], $6::bytea[]) p (facet, hash, total, offsets)
 union all
select $1::int, 0, 0, $2::int, 8192, ''
on conflict do nothing
