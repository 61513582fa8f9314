-- The registers of some rows. $1 ids. {catalog} is filled in when the file is loaded.
select c.id, c.registers
  from unnest($1::uuid[]) as w (id)
 cross join lateral (select t.id, t.registers from runfold.{catalog} t where t.id = w.id offset 0) c
