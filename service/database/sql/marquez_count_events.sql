-- Counts Marquez's OpenLineage events: those since a time (null: all).
-- parameters: since
select count(*) as total from {marquez}.lineage_events e where :since::timestamptz is null or e.created_at >= :since
