-- Returns payloads that can be archived, with the digests that their events record: all but those of API keys and of the
-- ledger's own records. Each event is a probe by its position (docs/decisions/0003-plans-that-stay-good.md).
-- parameters: log, first, last
select p.position, e.payload_digest, p.body::text as body
  from runfold.payloads p
  left join lateral (
      select t.subject, t.payload_digest from runfold.events t
       where t.log = :log and t.position between p.position and p.position order by t.position offset 0
  ) e on true
 where p.log = :log and p.position between :first and :last and coalesce(e.subject, '') not in ('key', 'ledger')
 order by p.position
