-- Marks runs whose end is inferred, and those whose end no longer is, after their rows were written. Seldom, so apart from put_runs.sql.
-- parameters: begins, ends
update {schema}.runs r
   set inferred = w.inferred
  from (select unnest(:begins::uuid[]) as id, true as inferred
         union all
        select unnest(:ends::uuid[]), false) w
 where r.id = w.id
