-- Returns the position up to which events are projected into the catalog, the format of the program that projected last, and the
-- oldest format of those that projected into it since it was made.
-- parameters: log
select c.position, c.format, c.oldest_format
  from {schema}.{projection}_cursor c where c.log = :log order by c.position desc limit 1
