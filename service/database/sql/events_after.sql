-- Returns a page of the ledger in order, with payloads. The page ends where its payloads exceed :max_bytes as stored, or
-- :max_text_bytes as text; the first event is returned whatever its size. Only a payload that is stored compressed is
-- decompressed to find its size, and only where the sizes as stored leave it in the page.
-- `lateral` and `offset 0` make each payload a probe by its key: joined, a plan that expects few payloads reads all of the
-- payloads of the page for each event (docs/decisions/0003-plans-that-stay-good.md).
-- parameters: log, after, limit, max_bytes, max_text_bytes
select t.position, t.subject, t.stream, t.kind, t.state, t.transitioned_at, t.recorded_at, t.namespace, t.job,
       t.parent_run, t.source, t.actor, t.fact, t.request_digest, t.payload_digest, t.body::text as body
  from (
      select s.*, sum(case when pg_column_compression(s.body) is null then s.stored else octet_length(s.body::text) end)
                      over (order by s.position) as text_size
        from (
            select e.*, p.body, coalesce(pg_column_size(p.body), 0) as stored,
                   sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) as size
              from runfold.events e
              left join lateral (
                  select q.body from runfold.payloads q where q.log = :log and q.position = e.position offset 0
              ) p on e.payload_digest is not null
             where e.log = :log and e.position > :after and e.position <= :after + :limit
        ) s
       where s.size <= :max_bytes or s.position = :after + 1
  ) t
 where t.text_size <= :max_text_bytes or t.position = :after + 1
 order by t.position
