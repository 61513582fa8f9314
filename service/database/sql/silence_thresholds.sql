-- Returns for each allowance the last position that is at least that old, as far as the catalog is projected: a run whose last event
-- lies after it is not silent for that long.
-- parameters: log, allowances, now
select w.seconds,
       least(runfold.position_at(:log, :now::timestamptz - make_interval(secs => w.seconds)),
             (select c.position from runfold.catalog_cursor c where c.log = :log)) as position
  from unnest(:allowances::int[]) as w (seconds)
