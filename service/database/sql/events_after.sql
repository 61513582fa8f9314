-- Returns a page of the ledger in order, with payloads. The page ends where its payloads, as stored, exceed :max_bytes; the
-- first event is returned whatever its size. `lateral` and `offset 0` make each payload a probe by its key: joined, a plan that
-- expects few payloads reads all of the payloads of the page for each event (docs/decisions/0003-plans-that-stay-good.md).
-- parameters: log, after, limit, max_bytes
select t.position, t.subject, t.stream, t.kind, t.state, t.transitioned_at, t.recorded_at, t.namespace, t.job,
       t.parent_run, t.source, t.actor, t.fact, t.request_digest, t.payload_digest, t.body::text as body
  from (
      select e.*, p.body, sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) as size
        from runfold.events e
        left join lateral (
            select q.body from runfold.payloads q where q.log = :log and q.position = e.position offset 0
        ) p on e.payload_digest is not null
       where e.log = :log and e.position > :after and e.position <= :after + :limit
  ) t
 where t.size <= :max_bytes or t.position = :after + 1
 order by t.position
