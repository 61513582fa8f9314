-- GET /events/lineage lists events of runs. Its counters count those of jobs and datasets, too; these are counted by this and taken off.
create index events_lineage_of_names on runfold.events (left(namespace, 64), transitioned_at, position, log)
 where source in ('openlineage', 'import') and subject <> 'run';
