-- Returns the columns of a table's primary key, in order.
-- parameters: table
select a.attname::text as name
  from pg_catalog.pg_index i
 cross join lateral unnest(i.indkey) with ordinality as k (number, place)
  join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
 where i.indrelid = :table::text::regclass and i.indisprimary
 order by k.place
