-- A page of the ledger in order, as text, with what filters look at. $1 log, $2 after this position, $3 how many, $4 bytes
-- of payload, as stored, after which the page ends early. Positions have no gaps.
select x.position, x.subject, x.stream, x.kind, x.state, x.source, x.namespace, x.job, x.actor,
       convert_to({line}, 'UTF8') as line
  from (
     select e.*, p.body,
            sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) - coalesce(pg_column_size(p.body), 0)
                as before
       from runfold.events e
       left join runfold.payloads p
         on e.payload_digest is not null and p.log = $1 and p.position = e.position
        and p.position > $2 and p.position <= $2::bigint + $3::int
      where e.log = $1 and e.position > $2 and e.position <= $2::bigint + $3::int
  ) x
 where x.before < $4
 order by x.position
