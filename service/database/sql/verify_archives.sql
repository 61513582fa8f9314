-- Returns the derived table of archives.
-- parameters: log
select a.first, a.last, a.file, a.sha256 from runfold.archives a where a.log = :log
