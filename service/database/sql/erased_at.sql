-- Of some positions, those whose payload the ledger says was erased. $1 log, $2 positions.
select w.position from unnest($2::bigint[]) as w (position) where runfold.is_erased($1, w.position)
