-- Returns datasets by name: of one namespace, or of all. Each has a row for each of its names, the shown name first.
-- parameters: limit, offset
select p.id, t.id as name_id, t.registers
  from (
     select d.id, d.primary_id, left(d.name, 200) collate "C" as begin
       from runfold.datasets d
      where {shown} and {of_namespace} and {named}
      order by left(d.name, 200) collate "C", d.id
      limit :limit offset :offset
  ) p
 cross join lateral (select c.* from runfold.datasets c where c.primary_id = p.primary_id offset 0) t
 where {within}
 order by p.begin, p.id, t.id <> p.id, t.id
