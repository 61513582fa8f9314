-- Returns digests of payloads, computed in the database because the payloads may be gigabytes.
-- parameters: log, first, last
select p.position, sha256(convert_to(p.body::text, 'UTF8')) as digest
  from runfold.payloads p
 where p.log = :log and p.position between :first and :last
