drop table runfold.catalog_set_aside;
