-- Returns the revision of the schema, the lowest revision of the programs that may use it (null: this one), and the version of
-- Runfold that migrated it. The last two columns are missing in schemas from before they were added.
select v.version_num, to_jsonb(v) ->> 'oldest_program' as oldest_program, to_jsonb(v) ->> 'migrated_by' as migrated_by
  from runfold_version v
