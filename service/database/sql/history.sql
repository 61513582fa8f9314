-- Returns the events of a stream, oldest first, with payloads. The upper bound is applied outside, as in which_stream.sql. The page
-- ends before :limit where its payloads exceed :max_bytes, a compressed one taken for 16 times as large as it is stored;
-- `found` is the number of events without that bound.
-- parameters: log, stream, after, upto, limit, max_bytes
select x.position, x.subject, x.stream, x.kind, x.state, x.transitioned_at, x.recorded_at, x.namespace, x.job,
       x.parent_run, x.source, x.actor, x.fact, x.request_digest, x.payload_digest, x.body::text as body, x.found
  from (
     select e.*, p.body, count(*) over () as found,
            sum(coalesce(p.estimate, 0)) over (order by e.position) - coalesce(p.estimate, 0) as before
       from (
          select * from runfold.events t
           where t.log = :log and t.subject = '{subject}' and t.stream = :stream and t.position > :after
           order by t.position limit :limit
       ) e
       left join lateral (
          select t.body, pg_column_size(t.body) * case when pg_column_compression(t.body) is null then 1 else 16 end as estimate
            from runfold.payloads t
           where e.payload_digest is not null and t.log = :log and t.position = e.position offset 0
       ) p on true
      where e.position <= :upto
  ) x
 where x.before < :max_bytes
 order by x.position
