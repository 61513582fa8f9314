-- Returns the positions of the events of a job, and of its runs, that came with a payload. The catalog has which runs these are, up to its
-- cursor; events after it are looked at one by one.
-- parameters: log, job_id, namespace, job, upto
select e.position
  from (
      select 'run' as subject, r.id as stream from runfold.runs r where r.job_id = :job_id
       union all
      select 'run', m.run_id from runfold.run_jobs m where m.job_id = :job_id
       union all
      select 'job', :job_id
  ) s
 cross join lateral (
      select * from runfold.events t
       where t.log = :log and t.subject = s.subject and t.stream = s.stream and t.position <= :upto offset 0
 ) e
 where e.payload_digest is not null and e.kind <> 'erased' and e.job = :job and e.namespace = :namespace
 union
select e.position
  from runfold.events e
 where e.log = :log and e.position <= :upto
   and e.position > (select c.position from runfold.catalog_cursor c where c.log = :log order by c.position desc limit 1)
   and e.payload_digest is not null and e.kind <> 'erased' and e.job = :job and e.namespace = :namespace
 order by position
