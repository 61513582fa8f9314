-- Returns the namespaces of datasets, in an order that the reader can merge by.
select * from {schema}.dataset_namespaces d order by d.digest
