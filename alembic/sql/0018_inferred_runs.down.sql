drop index runfold.runs_inferred_by_update;
drop index runfold.runs_inferred_by_end;
drop index runfold.runs_inferred;
