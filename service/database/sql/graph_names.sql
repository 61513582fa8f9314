-- The names of a dataset: its own id, and those of its aliases.
(select t.id from runfold.datasets t where t.primary_id = {dataset_id} offset 0)
