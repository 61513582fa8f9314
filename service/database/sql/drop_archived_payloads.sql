-- Drops the payloads of a partition after they are archived.
-- parameters: partition
select runfold.drop_archived_payloads(:partition)
