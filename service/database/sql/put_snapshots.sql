-- Stores registers of runs as they are at some positions.
-- parameters: runs, positions, registers
insert into {schema}.run_snapshots (id, position, registers)
select * from unnest(:runs::uuid[], :positions::bigint[], :registers::bytea[])
on conflict (id, position) do nothing
