-- Returns the events that have given facts in given streams; :positions name the facts. PostgreSQL takes `unnest` of several
-- arrays for its own only by that name without a schema.
-- parameters: log, positions, subjects, streams, facts
select w.position, e.position as recorded, e.kind
  from unnest(:positions::bigint[], :subjects::text[], :streams::uuid[], :facts::bytea[])
    as w (position, subject, stream, fact)
 cross join lateral (
     select t.position, t.kind from runfold.events t
      where t.log = :log and t.subject = w.subject and t.stream = w.stream and t.fact = w.fact offset 0
 ) e
