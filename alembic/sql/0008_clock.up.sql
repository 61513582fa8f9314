-- Appends a batch like append_events, and rolls it back if its time lies after p_latest: recorded_at never decreases, so a
-- single event from a clock that is far ahead would give its time to every event after it. The limit comes from the clock of
-- the caller, which is another one. The function has the rights of its caller: append_events checks them.
create function runfold.append_events_by(p_log int, p_drafts runfold.draft[], p_latest timestamptz)
returns table (recorded_at timestamptz, positions bigint[], outcomes smallint[])
language plpgsql as $$
begin
    select a.recorded_at, a.positions, a.outcomes into strict recorded_at, positions, outcomes
      from runfold.append_events(p_log, p_drafts) a;
    if recorded_at > p_latest and 0 = any (outcomes) then
        raise exception 'the event would be recorded at %, which lies after %, the latest time that the service allows',
                        recorded_at, p_latest
            using errcode = 'RF001';
    end if;
    return next;
end
$$;
