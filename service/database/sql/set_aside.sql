-- Records that an event, or its payload, is left out of the catalog.
-- parameters: log, position, left_out, reason
insert into {schema}.{projection}_set_aside as a (log, position, subject, stream, left_out, reason, set_aside_at)
select e.log, e.position, e.subject, e.stream, :left_out::text, :reason::text, clock_timestamp()
  from runfold.events e
 where e.log = :log and e.position between :position and :position
on conflict (log, position) do nothing
