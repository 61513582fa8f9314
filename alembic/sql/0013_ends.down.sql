drop table runfold.run_jobs;
alter type runfold.run_row
    drop attribute contradicted,
    drop attribute restarted;
alter table runfold.runs
    drop column contradicted,
    drop column restarted;
