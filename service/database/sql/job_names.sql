-- Returns what the columns of a job's row say of it.
-- parameters: id
select j.namespace, j.name, j.position, coalesce(j.seen, j.position) as seen, j.updated_at
  from runfold.jobs j
 where j.id = :id
 order by j.position desc
 limit 1
