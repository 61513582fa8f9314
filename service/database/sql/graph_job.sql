-- The job {job_id}, unless a deletion up to position :known hides it, as in graph_dataset.sql.
-- parameters: known
(select t.id
   from (select j.id, j.namespace_id, j.namespace, j.hidden, j.position, coalesce(j.seen, j.position) as seen
           from runfold.jobs j where j.id = {job_id} order by j.position desc limit 1) t
  where not (t.hidden and t.position <= :known) and {within}
    and not exists (select from (select n.deleted from runfold.namespaces n where n.id = t.namespace_id
                                             order by n.position desc limit 1) n
                     where n.deleted > t.seen and n.deleted <= :known))
