update runfold.catalog_cursor set format = least(format, 2), oldest_format = least(oldest_format, 2);
drop table runfold.dataset_namespaces;
drop table runfold.crossing_runs;
