-- Returns for the nth stream the registers of its catalog row (part `catalog`), the events recorded after that (`event`), and
-- the event that has the nth fact (`known`; null: none is looked up). `offset 0` and `lateral` keep each look-up an index
-- probe; a join would scan once the tables have grown. `order by` makes the planner take the primary key: by the key of facts,
-- a long stream would be read from its beginning. version: `offset 0`, or the newest one (put_rows.sql).
-- parameters: log, streams, facts
with wanted as materialized (
    select w.n, w.stream, w.fact, coalesce(c.position, 0) as position, c.registers
      from unnest(:streams::uuid[], :facts::bytea[]) with ordinality as w (stream, fact, n)
      left join lateral (
          select t.position, t.registers from runfold.{catalog} t where t.id = w.stream {version}
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
      where t.log = :log and t.subject = '{subject}' and t.stream = w.stream and t.position > w.position
      order by t.position offset 0
 ) e
union all
select w.n, 'known', null, e.position, e.subject, e.stream, e.kind, e.state, e.transitioned_at, e.recorded_at,
       e.namespace, e.job, e.parent_run, e.source, e.actor, e.fact, e.request_digest, e.payload_digest
  from wanted w
 cross join lateral (
     select * from runfold.events t
      where t.log = :log and t.subject = '{subject}' and t.stream = w.stream and t.fact = w.fact offset 0
 ) e
 where w.fact is not null
