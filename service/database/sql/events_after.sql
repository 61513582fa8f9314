-- A page of the ledger in order, with payloads. $1 log, $2 after this position, $3 how many, $4 payload bytes at the most
-- (as stored; the first event comes whatever its size).
-- `lateral` and `offset 0` make each payload a probe by its key: joined, a plan that expects few payloads reads all of the
-- page's for each event (decision 0003).
select t.position, t.subject, t.stream, t.kind, t.state, t.transitioned_at, t.recorded_at, t.namespace, t.job,
       t.parent_run, t.source, t.actor, t.fact, t.request_digest, t.payload_digest, t.body::text
  from (
      select e.*, p.body, sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) as size
        from runfold.events e
        left join lateral (
            select q.body from runfold.payloads q where q.log = $1 and q.position = e.position offset 0
        ) p on e.payload_digest is not null
       where e.log = $1 and e.position > $2 and e.position <= $2 + $3
  ) t
 where t.size <= $4 or t.position = $2 + 1
 order by t.position
