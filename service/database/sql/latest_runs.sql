-- The newest runs of each job. $1 job ids, $2 how many of each.
select r.job_id, r.id, r.registers
  from unnest($1::uuid[]) with ordinality as w (id, n)
 cross join lateral (
     select t.job_id, t.id, t.created_at, t.registers from runfold.runs t where t.job_id = w.id
      order by t.created_at desc, t.id desc limit $2
 ) r
 order by w.n, r.created_at desc, r.id desc
