-- Returns the statements that grant on tables of another schema what is granted on the tables of runfold with the same names.
-- parameters: new_schema, tables
select format('grant %s on %I.%I to %I', privilege_type, :new_schema::text, table_name, grantee) as statement
  from information_schema.role_table_grants
 where table_schema = 'runfold' and table_name = any (:tables) and grantee <> current_user
