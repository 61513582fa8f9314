-- Returns what the ledger records of archives, oldest first.
-- parameters: log
select e.position, e.kind, e.payload_digest, p.body::text as body
  from (select t.position, t.kind, t.payload_digest from runfold.events t
         where t.log = :log and t.subject = 'ledger' and t.kind in ('archived', 'restored') offset 0) e
  left join lateral (
     select t.body from runfold.payloads t where t.log = :log and t.position = e.position offset 0
  ) p on true
 order by e.position
