-- Returns the bytes of payloads as text, so that a reader can fetch as many at once as it has memory for. Only a compressed
-- payload has to be decompressed for that.
-- parameters: log, first, last
select p.position,
       case when pg_catalog.pg_column_compression(p.body) is null then pg_catalog.pg_column_size(p.body)
            else pg_catalog.octet_length(p.body::text) end as size
  from runfold.payloads p
 where p.log = :log and p.position between :first and :last
 order by p.position
