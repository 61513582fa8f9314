-- Returns what the ledger records of archives, oldest first.
-- parameters: log
select e.kind, p.body::text as body
  from (select t.position, t.kind from runfold.events t
         where t.log = :log and t.subject = 'ledger' and t.kind in ('archived', 'restored') offset 0) e
  left join lateral (
     select t.body from runfold.payloads t where t.log = :log and t.position = e.position offset 0
  ) p on true
 order by e.position
