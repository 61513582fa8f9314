-- The revision the schema is at.
select v.version_num from runfold_version v
