-- Each wanted stream as the catalog has it, the events after that, and the event that has the asked fact, if any.
-- $1 log, $2 streams, $3 a fact (or null) a stream. {subject} and {catalog} are filled in when the file is loaded.
-- `offset 0` and `lateral` keep each look-up an index probe; a join would scan once the tables have grown.
-- `order by` makes it the primary key's: by the fact's key a long stream would be read from its beginning.
with wanted as materialized (
    select w.n, w.stream, w.fact, coalesce(c.position, 0) as position, c.registers
      from unnest($2::uuid[], $3::bytea[]) with ordinality as w (stream, fact, n)
      left join lateral (
          select t.position, t.registers from runfold.{catalog} t where t.id = w.stream offset 0
      ) c on true
)
select w.n, 'catalog' as part, w.registers, w.position, '{subject}' as subject, w.stream, null as kind, null as state,
       null::timestamptz as transitioned_at, null::timestamptz as recorded_at, null as namespace, null as job,
       null::uuid as parent_run, null as source, null as actor, null::bytea as fact, null::bytea as request_digest,
       null::bytea as payload_digest
  from wanted w
 where w.registers is not null
union all
select w.n, 'event', null, e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at,
       e.namespace, e.job, e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest
  from wanted w
 cross join lateral (
     select * from runfold.events t
      where t.log = $1 and t.subject = '{subject}' and t.stream = w.stream and t.position > w.position
      order by t.position offset 0
 ) e
union all
select w.n, 'known', null, e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at,
       e.namespace, e.job, e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest
  from wanted w
 cross join lateral (
     select * from runfold.events t
      where t.log = $1 and t.subject = '{subject}' and t.stream = w.stream and t.fact = w.fact offset 0
 ) e
 where w.fact is not null
