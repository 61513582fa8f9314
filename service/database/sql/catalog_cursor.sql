-- Returns the position up to which events are projected into the catalog.
-- parameters: log
select c.position from {schema}.catalog_cursor c where c.log = :log order by c.position desc limit 1
