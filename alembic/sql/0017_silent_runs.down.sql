drop table runfold.silence_monitor;
drop table runfold.silence_settings;
alter table runfold.runs drop column inferred;
