drop table runfold.lineage_counts;
drop function runfold.hour_of, runfold.hour_begins, runfold.namespace_digest;
drop index runfold.events_lineage_of_namespace, runfold.events_lineage;
