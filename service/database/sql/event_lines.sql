-- Returns events as text, in order of position. The page ends before :limit where its payloads exceed :max_bytes, as text; `found` is
-- the number of events without that bound. A compressed payload has to be decompressed to be measured: it is done once, and
-- for no more payloads than may fit, taking a compressed one for 16 times as large as it is stored. The part `which` selects
-- the events, `line` writes one, `wanted` says whether payloads are read.
-- parameters: log, after, upto, limit, max_bytes, kinds, states, sources, namespace, job, actor, within
select x.position, convert_to({line}, 'UTF8') as line, x.found
  from (
     select s.*, sum(coalesce(octet_length(s.body), 0)) over (order by s.position {direction}) - coalesce(octet_length(s.body), 0)
                as before
       from (
          select e.log, e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
                 e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, e.hash, e.found,
                 e.stored_body::text as body
            from (
               select w.*, p.body as stored_body, count(*) over () as found,
                      sum(coalesce(p.estimate, 0)) over (order by w.position {direction}) - coalesce(p.estimate, 0)
                          as estimated_before
                 from (
                    {which}
                 ) w
                 left join lateral (
                    select t.body, pg_column_size(t.body) * case when pg_column_compression(t.body) is null then 1 else 16 end
                               as estimate
                      from runfold.payloads t
                     where {wanted} and w.payload_digest is not null and t.log = :log and t.position = w.position offset 0
                 ) p on true
            ) e
           where e.estimated_before < 4 * :max_bytes::int
           offset 0
       ) s
  ) x
 where x.before < :max_bytes
 order by x.position {direction}
