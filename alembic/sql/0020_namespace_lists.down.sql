drop index runfold.runs_of_namespace_by_update, runfold.runs_of_namespace_by_end, runfold.namespaces_by_prefix,
           runfold.dataset_namespaces_by_prefix;
