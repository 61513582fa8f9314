-- The condition that a column mapping m counts.
not exists (select from (select e.current from runfold.lineage_edges e
                          where e.job_id = m.job_id and e.direction = 1 and e.dataset_id = m.dataset_id offset 0) e
             where not e.current)
   and (exists (select from {job} v) or not exists (select from (select j.id from runfold.jobs j where j.id = m.job_id order by j.position desc limit 1) j))
