-- Returns those of the given positions whose payload was erased.
-- parameters: log, positions
select w.position from unnest(:positions::bigint[]) as w (position) where runfold.is_erased(:log, w.position)
