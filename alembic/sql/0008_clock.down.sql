drop function runfold.append_events_by;
