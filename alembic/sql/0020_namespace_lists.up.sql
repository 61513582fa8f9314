-- Apart from the tables, in a transaction of its own, like the indexes of marked runs.
-- The runs of a namespace by their last event, and by their end; by start there is an index already.
create index runs_of_namespace_by_update on runfold.runs (hashtext(namespace), state, position desc);
create index runs_of_namespace_by_end on runfold.runs (hashtext(namespace), state, ended_at desc, id desc)
 where ended_at is not null;
-- Names by their beginning, whatever the collation of the database.
create index namespaces_by_prefix on runfold.namespaces (left(name, 256) text_pattern_ops);
create index dataset_namespaces_by_prefix on runfold.dataset_namespaces (left(name, 256) text_pattern_ops);
