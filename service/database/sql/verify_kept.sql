-- Returns how far the second tables are projected, what they were made by, and a position behind all of that with its hash. No row: they are empty.
-- parameters: log
select m.made_by, m.position, m.hash, c.position as catalog, l.position as lineage
  from {schema}.mark m
 cross join lateral (
     select k.position from {schema}.catalog_cursor k where k.log = :log order by k.position desc limit 1
 ) c
 cross join lateral (
     select k.position from {schema}.lineage_cursor k where k.log = :log order by k.position desc limit 1
 ) l
