-- Events as text, oldest first. $1 log, $2 after this position, $3 up to this one, $4 how many, $5 bytes of payload, as
-- stored, after which the page ends early; found is how many there would have been. The placeholders, which events and
-- which text, are filled in when the file is loaded.
select x.position, convert_to({line}, 'UTF8') as line, x.found
  from (
     select e.*, p.body,
            sum(coalesce(pg_column_size(p.body), 0)) over (order by e.position) - coalesce(pg_column_size(p.body), 0)
                as before,
            count(*) over () as found
       from (
          {which}
       ) e
       left join lateral (
          select t.body from runfold.payloads t
           where e.payload_digest is not null and t.log = $1 and t.position = e.position offset 0
       ) p on true
  ) x
 where x.before < $5
 order by x.position
