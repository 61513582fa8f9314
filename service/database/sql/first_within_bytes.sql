-- Returns the first rows of a statement that lists rows with `registers`, as within_bytes.sql does, at most :rows of them. `found` is
-- the number of rows that the statement has.
select b.*
  from (
     select a.*, count(*) over () as found, row_number() over () as number,
            sum(octet_length(a.registers)) over (rows unbounded preceding) - octet_length(a.registers) as before
       from (
{statement}
       ) a
  ) b
 where b.number <= :rows::bigint and b.before < :max_bytes
-- parameters: rows, max_bytes
