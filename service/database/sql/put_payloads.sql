-- Brings payloads back; those that never left stay as they are. $1 log, $2 positions, $3 bodies.
insert into runfold.payloads (log, position, body)
select $1, w.position, w.body::json from unnest($2::bigint[], $3::text[]) as w (position, body)
on conflict (log, position) do nothing
