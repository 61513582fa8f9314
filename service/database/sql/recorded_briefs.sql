-- Returns a page of the ledger in order: of each event what it is about, as text, and the fields that filters compare. Positions have
-- no gaps.
-- parameters: log, after, limit
select e.position, e.subject, e.stream, e.kind, e.state, e.source, e.namespace, e.job, e.actor,
       convert_to(
           concat('{"position":', e.position, ',"subject":"', e.subject, '","id":"', e.stream,
                  '","kind":"', e.kind, '","state":', coalesce('"' || e.state || '"', 'null'),
                  ',"transitionedAt":"',
                  replace(to_char(e.transitioned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
                  '","namespace":', coalesce(to_json(e.namespace)::text, 'null'),
                  ',"job":', coalesce(to_json(e.job)::text, 'null'),
                  ',"parentRun":', coalesce('"' || e.parent_run || '"', 'null'),
                  ',"source":"', e.source, '"}'),
           'UTF8') as line
  from runfold.events e
 where e.log = :log and e.position > :after and e.position <= :after::bigint + :limit::int
 order by e.position
