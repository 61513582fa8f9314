-- Counts what list_datasets.sql lists.
select count(*) from runfold.datasets d where {shown} and {of_namespace} and {named}
