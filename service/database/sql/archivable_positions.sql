-- Returns the positions of the payloads that can be archived: all but those of API keys and of the ledger's own records.
-- parameters: log, first, last
select p.position
  from runfold.payloads p
  left join lateral (
      select t.subject from runfold.events t
       where t.log = :log and t.position between p.position and p.position order by t.position offset 0
  ) e on true
 where p.log = :log and p.position between :first and :last and coalesce(e.subject, '') not in ('key', 'ledger')
