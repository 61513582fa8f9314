-- Where the events of a job and of its runs have payloads. $1 log, $2 job id, $3 namespace, $4 job, $5 up to this position.
select e.position
  from (
      select 'run' as subject, r.id as stream from runfold.runs r where r.job_id = $2
       union all
      select 'job', $2
  ) s
 cross join lateral (
      select * from runfold.events t
       where t.log = $1 and t.subject = s.subject and t.stream = s.stream and t.position <= $5 offset 0
 ) e
 where e.payload_digest is not null and e.kind <> 'erased' and e.job = $4 and e.namespace = $3
 order by e.position
