drop schema runfold cascade;
