-- A page of the ledger in order, with payloads. $1 log, $2 after this position, $3 how many, $4 payload bytes at the most
-- (as stored; the first event comes whatever its size).
select t.position, t.subject, t.stream, t.kind, t.state, t.transitioned_at, t.recorded_at, t.namespace, t.job,
       t.parent_run, t.source, t.actor, t.fact, t.request_digest, t.payload_digest, t.body::text
  from (
      select e.*, p.body, sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) as size
        from runfold.events e
        left join runfold.payloads p
          on e.payload_digest is not null and p.log = $1 and p.position = e.position
         and p.position > $2 and p.position <= $2 + $3
       where e.log = $1 and e.position > $2 and e.position <= $2 + $3
  ) t
 where t.size <= $4 or t.position = $2 + 1
 order by t.position
