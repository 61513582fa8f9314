-- Returns a page of the ledger in order, as text, with the fields that filters compare. The page ends where its payloads, as
-- stored, exceed :max_bytes. Positions have no gaps.
-- parameters: log, after, limit, max_bytes
select x.position, x.subject, x.stream, x.kind, x.state, x.source, x.namespace, x.job, x.actor,
       convert_to({line}, 'UTF8') as line
  from (
     select e.*, p.body,
            sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) - coalesce(pg_column_size(p.body), 0)
                as before
       from runfold.events e
       left join runfold.payloads p
         on e.payload_digest is not null and p.log = :log and p.position = e.position
        and p.position > :after and p.position <= :after::bigint + :limit::int
      where e.log = :log and e.position > :after and e.position <= :after::bigint + :limit::int
  ) x
 where x.before < :max_bytes
 order by x.position
