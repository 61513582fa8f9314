-- Deletes the payloads at some positions; the database refuses to delete one that is not archived.
-- parameters: log, positions
delete from runfold.payloads p where p.log = :log and p.position = any (:positions::bigint[])
