drop table runfold.event_type_counts, runfold.search_entries, runfold.tags, runfold.sources, runfold.column_inputs, runfold.column_mappings, runfold.lineage_edges,
           runfold.run_datasets, runfold.dataset_versions, runfold.dataset_events, runfold.dataset_links, runfold.datasets,
           runfold.lineage_set_aside, runfold.lineage_cursor;
