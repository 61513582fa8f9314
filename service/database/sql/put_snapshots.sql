-- Keeps registers as they were. $1 runs, $2 positions, $3 registers.
insert into runfold.run_snapshots (id, position, registers)
select * from unnest($1::uuid[], $2::bigint[], $3::bytea[])
on conflict (id, position) do nothing
