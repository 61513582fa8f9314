-- Returns the allowances that jobs and namespaces set, each once, the shortest first, above :above; and the position of the event that
-- changed a setting last. A distinct scan would read the settings of all jobs.
-- parameters: above, limit
with recursive levels (seconds) as (
    (select s.seconds from runfold.silence_settings s where s.seconds > 0 and s.seconds > :above order by s.seconds limit 1)
     union all
    select (select s.seconds from runfold.silence_settings s where s.seconds > 0 and s.seconds > l.seconds order by s.seconds limit 1)
      from levels l
     where l.seconds is not null
)
select array(select l.seconds from levels l where l.seconds is not null limit :limit) as seconds,
       coalesce((select s.position from runfold.silence_settings s order by s.position desc limit 1), 0) as changed
