drop index runfold.runs_by_end, runfold.runs_by_update;
alter table runfold.namespaces drop column deleted;
alter table runfold.jobs drop column seen;
