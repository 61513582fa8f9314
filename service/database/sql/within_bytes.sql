-- Returns the first rows of a statement that lists rows with `registers`: as many as fit in :max_bytes, and at least one. `found`
-- is the number of rows that the statement has. The size of a bytea is known without decompressing it.
select b.*
  from (
     select a.*, count(*) over () as found, row_number() over () as number,
            sum(octet_length(a.registers)) over (rows unbounded preceding) - octet_length(a.registers) as before
       from (
{statement}
       ) a
  ) b
 where {wanted}
   and b.before < :max_bytes
-- parameters: max_bytes
