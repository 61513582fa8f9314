-- Removes the note of an archive whose payloads are stored again.
-- parameters: log, first
delete from runfold.archives a where a.log = :log and a.first = :first
