-- Returns of the events of a filter between two positions how many there are, how many of them are transitions, and what the last :most
-- are about: JSON objects without payloads, in order, with commas between them. A filter that is null matches any event; `order by`
-- makes the planner take the index on positions while the table is small, too.
-- parameters: log, after, upto, most, run, bound
with matching as materialized (
   select * from runfold.events t
    where t.log = :log and t.position > :after and t.position <= :upto
      and (:run::uuid is null or (t.stream = :run and t.subject = 'run'))
      and {event_filters}
      and (not :bound::boolean or {within})
    order by t.position offset 0
)
select (select count(*) from matching) as events,
       (select count(*) from matching m where m.kind = 'transition') as transitions,
       (select string_agg(
                   concat('{"position":', e.position, ',"subject":"', e.subject, '","id":"', e.stream,
                          '","kind":"', e.kind, '","state":', coalesce('"' || e.state || '"', 'null'),
                          ',"transitionedAt":"',
                          replace(to_char(e.transitioned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
                          '","namespace":', coalesce(to_json(e.namespace)::text, 'null'),
                          ',"job":', coalesce(to_json(e.job)::text, 'null'),
                          ',"parentRun":', coalesce('"' || e.parent_run || '"', 'null'),
                          ',"source":"', e.source, '"}'),
                   ',' order by e.position)
          from (select * from matching m order by m.position desc limit :most) e) as latest
