drop index runfold.runs_contradicted, runfold.runs_contradicted_by_end, runfold.runs_contradicted_by_update,
           runfold.runs_restarted, runfold.runs_restarted_by_end, runfold.runs_restarted_by_update;
