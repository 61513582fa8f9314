-- Returns events as text, in order of position. The page ends before :limit where its payloads, as stored, exceed :max_bytes; `found`
-- is the number of events without that bound. The part `which` selects the events, `line` writes one.
-- parameters: log, after, upto, limit, max_bytes, kinds, states, sources, namespace, job, actor
select x.position, convert_to({line}, 'UTF8') as line, x.found
  from (
     select e.*, p.body,
            sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position {direction}) - coalesce(pg_column_size(p.body), 0)
                as before,
            count(*) over () as found
       from (
          {which}
       ) e
       left join lateral (
          select t.body from runfold.payloads t
           where e.payload_digest is not null and t.log = :log and t.position = e.position offset 0
       ) p on true
  ) x
 where x.before < :max_bytes
 order by x.position {direction}
