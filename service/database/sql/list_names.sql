-- Returns sources or tags by name.
-- parameters: prefix, limit, offset
select t.id, t.registers
  from runfold.{catalog} t
 where t.name ^@ :prefix
 order by left(t.name, 200) collate "C", t.id
 limit :limit offset :offset
