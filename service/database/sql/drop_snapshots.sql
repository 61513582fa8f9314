-- Removes what snapshots of a run know from a position on. $1 run, $2 position.
delete from runfold.run_snapshots s where s.id = $1 and s.position >= $2
