-- Removes the snapshots of a run from a position on.
-- parameters: run, position
delete from {schema}.run_snapshots s where s.id = :run and s.position >= :position
