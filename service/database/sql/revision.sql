-- Returns the revision of the schema.
select v.version_num from runfold_version v
