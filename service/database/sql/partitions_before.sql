-- Returns the partitions of payloads that are full, projected into the catalog, and recorded before a time.
-- parameters: log, before
select p.name, p.first, p.last
  from (
      select c.relname::text as name, b[1]::bigint as first, b[2]::bigint - 1 as last
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
       cross join regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') as b
       where i.inhparent = 'runfold.payloads'::regclass
  ) p
  join (
      select t.position from runfold.catalog_cursor t where t.log = :log order by t.position desc limit 1
  ) c on c.position >= p.last
 cross join lateral (
      select t.recorded_at from runfold.events t where t.log = :log and t.position = p.last offset 0
  ) e
 where e.recorded_at < :before
 order by p.first
