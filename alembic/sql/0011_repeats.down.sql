drop index runfold.events_of_keys;
