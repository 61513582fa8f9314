-- Notes an archive, for answers that would have had its payloads.
-- parameters: log, first, last, file, sha256
insert into runfold.archives (log, first, last, file, sha256) values (:log, :first, :last, :file, :sha256)
