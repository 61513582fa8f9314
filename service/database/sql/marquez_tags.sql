-- Returns Marquez's tags.
select t.name, t.description, t.updated_at from {marquez}.tags t order by t.name
