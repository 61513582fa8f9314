-- Returns a namespace of jobs or of datasets, as list_namespaces.sql does, hidden or not.
-- parameters: id
select coalesce(a.name, b.name) as name, coalesce(a.registers, '') as registers, a.id, b.position, b.created_at, b.updated_at
  from (select :id::uuid as id) w
  left join lateral (select * from runfold.namespaces n where n.id = w.id order by n.position desc limit 1) a on true
  left join lateral (select * from runfold.lineage_namespaces l where l.id = w.id order by l.position desc limit 1) b on true
 where a.id is not null or b.id is not null
