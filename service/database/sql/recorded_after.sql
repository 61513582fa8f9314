-- Returns a page of the ledger in order, as text, with the fields that filters compare. The page ends where its payloads exceed
-- :max_bytes; they are measured as in event_lines.sql. Positions have no gaps.
-- parameters: log, after, limit, max_bytes
select x.position, x.subject, x.stream, x.kind, x.state, x.source, x.namespace, x.job, x.actor,
       convert_to({line}, 'UTF8') as line
  from (
     select s.*, sum(coalesce(octet_length(s.body), 0)) over (order by s.position) - coalesce(octet_length(s.body), 0) as before
       from (
          select e.log, e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at, e.namespace, e.job,
                 e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest, e.hash,
                 e.stored_body::text as body
            from (
               select v.*, sum(v.estimate) over (order by v.position) - v.estimate as estimated_before
                 from (
                    select r.*, p.body as stored_body,
                           coalesce(pg_column_size(p.body) * case when pg_column_compression(p.body) is null then 1 else 16 end, 0)
                               as estimate
                      from runfold.events r
                      left join runfold.payloads p
                        on r.payload_digest is not null and p.log = :log and p.position = r.position
                       and p.position > :after and p.position <= :after::bigint + :limit::int
                     where r.log = :log and r.position > :after and r.position <= :after::bigint + :limit::int
                 ) v
            ) e
           where e.estimated_before < 4 * :max_bytes::int
           offset 0
       ) s
  ) x
 where x.before < :max_bytes
 order by x.position
