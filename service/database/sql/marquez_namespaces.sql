-- Returns Marquez's namespaces, without those of which nothing is told but that an event or a job names them.
select n.name, coalesce(n.current_owner_name, 'anonymous') as owner, n.description, n.updated_at
  from {marquez}.namespaces n
 where n.current_owner_name is distinct from 'anonymous' or n.description is not null
    or not exists (select from {marquez}.jobs j where j.namespace_uuid = n.uuid)
   and not exists (select from {marquez}.datasets d where d.namespace_uuid = n.uuid)
 order by n.name
