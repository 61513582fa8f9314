drop index runfold.runs_by_length;
