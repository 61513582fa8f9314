-- Waits for an append under way.
-- parameters: log
select runfold.settle(:log)
