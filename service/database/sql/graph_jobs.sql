-- Returns the registers of jobs in the given order, without those that are deleted.
-- parameters: ids
select w.id, t.registers
  from unnest(:ids::uuid[]) with ordinality as w (id, n)
 cross join lateral {job} v
 cross join lateral (select j.registers from runfold.jobs j where j.id = v.id order by j.position desc limit 1) t
 order by w.n
