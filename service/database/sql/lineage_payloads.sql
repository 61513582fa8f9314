-- Returns the payloads at some positions, in that order: as many as fit in :max_bytes, and at least one; null where the
-- database has none. A compressed payload has to be decompressed to be measured, row by row.
-- parameters: log, positions, max_bytes
select x.position, x.body::text as body
  from (
     select w.position, p.body, w.place, sum(coalesce(p.size, 0)) over (order by w.place) - coalesce(p.size, 0) as before
       from unnest(:positions::bigint[]) with ordinality as w (position, place)
       left join lateral (
          select t.body,
                 case when pg_column_compression(t.body) is null then pg_column_size(t.body)
                      else octet_length(t.body::text) end as size
            from runfold.payloads t where t.log = :log and t.position = w.position offset 0
       ) p on true
  ) x
 where x.before < :max_bytes
 order by x.place
