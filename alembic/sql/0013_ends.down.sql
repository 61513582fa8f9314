drop table runfold.run_jobs;
alter type runfold.run_row
    drop attribute contradicted,
    drop attribute restarted;
drop index runfold.runs_contradicted, runfold.runs_contradicted_by_end, runfold.runs_contradicted_by_update,
           runfold.runs_restarted, runfold.runs_restarted_by_end, runfold.runs_restarted_by_update;
alter table runfold.runs
    drop column contradicted,
    drop column restarted;
