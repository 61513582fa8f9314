-- Removes the oldest snapshots of runs whose snapshots have more than :max_bytes; the newest one stays whatever its size.
-- parameters: runs, max_bytes
delete from {schema}.run_snapshots s
 using (
     select t.id, t.position,
            sum(octet_length(t.registers)) over (partition by t.id order by t.position desc) as size,
            row_number() over (partition by t.id order by t.position desc) as age
       from {schema}.run_snapshots t
      where t.id = any(:runs::uuid[])
 ) o
 where o.id = s.id and o.position = s.position and o.size > :max_bytes and o.age > 1
