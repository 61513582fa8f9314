-- Makes :holder the process that looks for silent runs, or keeps it that, for :lease seconds; returns no row while another one is.
-- Where no process was that for :lease seconds after the last lease had expired, silences count anew. A clock that was set back leaves
-- times in the future behind: they count as expired, too.
-- parameters: log, holder, lease
insert into runfold.silence_monitor as m (log, holder, seen_at, expires_at, active_since)
select :log::int, :holder::uuid, n.now, n.now + make_interval(secs => :lease), n.now
  from (select clock_timestamp() as now) n
on conflict (log) do update
   set holder = excluded.holder, seen_at = excluded.seen_at, expires_at = excluded.expires_at,
       active_since = case when excluded.seen_at between m.seen_at - make_interval(secs => :lease)
                                                     and m.expires_at + make_interval(secs => :lease)
                           then m.active_since else excluded.seen_at end
 where m.holder is null or m.holder = excluded.holder
    or m.expires_at not between excluded.seen_at and excluded.seen_at + interval '1 minute'
returning m.seen_at as now, m.active_since
