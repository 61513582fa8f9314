-- Replaces adjacent partitions whose payloads are all archived by one with the payloads that the service needs.
-- parameters: names
select runfold.replace_archived_partitions(:names)
