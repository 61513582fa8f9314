-- Lets another process look for silent runs at once.
-- parameters: log, holder
update runfold.silence_monitor m set holder = null where m.log = :log and m.holder = :holder
