-- The payloads at some positions, in that order, as many as come to $3 bytes, and one in any case; null where there is none.
-- $1 log, $2 positions. What is stored compressed has to be unpacked to be measured, row by row.
select x.position, x.body::text
  from (
     select w.position, p.body, w.place, sum(coalesce(p.size, 0)) over (order by w.place) - coalesce(p.size, 0) as before
       from unnest($2::bigint[]) with ordinality as w (position, place)
       left join lateral (
          select t.body,
                 case when pg_column_compression(t.body) is null then pg_column_size(t.body)
                      else octet_length(t.body::text) end as size
            from runfold.payloads t where t.log = $1 and t.position = w.position offset 0
       ) p on true
  ) x
 where x.before < $3
 order by x.place
