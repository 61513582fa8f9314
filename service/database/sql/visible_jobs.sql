-- The condition that a job j is not deleted, and was named by an event since its namespace was last deleted.
not j.hidden
   and not exists (select from runfold.namespaces n
                    where n.id = j.namespace_id and n.deleted > coalesce(j.seen, j.position))
