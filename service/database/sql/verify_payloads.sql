-- Returns payloads as they are stored: their digests are computed by the reader, not by the database.
-- parameters: log, first, last
select p.position, p.body
  from runfold.payloads p
 where p.log = :log and p.position between :first and :last
