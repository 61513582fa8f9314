-- Returns the archives whose payloads may have left the database; a trigger lets nothing into this table that the ledger does not
-- record.
-- parameters: log
select a.first, a.last, a.file, a.sha256 from runfold.archives a where a.log = :log
