-- Writes the settings for silent runs of jobs and namespaces.
-- parameters: ids, positions, seconds
insert into {schema}.silence_settings as s (id, position, seconds)
select * from unnest(:ids::uuid[], :positions::bigint[], :seconds::int[])
on conflict (id) do update set position = excluded.position, seconds = excluded.seconds
