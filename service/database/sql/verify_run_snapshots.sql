-- Returns the snapshots of runs, in an order that the reader can merge by.
select * from {schema}.run_snapshots s order by s.id, s.position
