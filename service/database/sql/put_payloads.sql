-- Stores archived payloads again; payloads that the table has stay as they are.
-- parameters: log, positions, bodies
insert into runfold.payloads (log, position, body)
select :log, w.position, w.body::json from unnest(:positions::bigint[], :bodies::text[]) as w (position, body)
on conflict (log, position) do nothing
