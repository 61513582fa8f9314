drop index runfold.events_lineage_of_names;
