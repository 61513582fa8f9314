-- The registers of some runs, and how many events were folded into each since its last snapshot. $1 ids.
select c.id, c.registers, c.since
  from unnest($1::uuid[]) as w (id)
 cross join lateral (select t.id, t.registers, t.since from runfold.runs t where t.id = w.id offset 0) c
