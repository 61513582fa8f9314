-- Returns Marquez's OpenLineage events in the order in which they came: those since a time (null: all). Events from before Marquez kept
-- that time have none, and are in the order of their own.
-- parameters: since
select e.event::text as body, e.created_at
  from {marquez}.lineage_events e
 where :since::timestamptz is null or e.created_at >= :since
 order by e.created_at nulls first, e.event_time
