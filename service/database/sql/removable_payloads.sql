-- Returns the first positions in a range that have a payload, without those whose payload the service needs: of API keys and
-- of the ledger's own records.
-- parameters: log, first, last, limit
select p.position
  from runfold.payloads p
 cross join lateral (
     select t.subject from runfold.events t
      where t.log = :log and t.position between p.position and p.position order by t.position offset 0
 ) e
 where p.log = :log and p.position between :first and :last and e.subject not in ('key', 'ledger')
 order by p.position
 limit :limit
