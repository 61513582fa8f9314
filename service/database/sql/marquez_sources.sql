-- Returns Marquez's sources, without the one that it makes for datasets without any.
select s.name, s.type, s.connection_url, s.description, s.updated_at
  from {marquez}.sources s
 where s.name <> 'default' or s.connection_url <> ''
 order by s.name
