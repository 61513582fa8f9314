-- Waits until an append that is in progress has ended.
-- parameters: log
select runfold.settle(:log) as settled
