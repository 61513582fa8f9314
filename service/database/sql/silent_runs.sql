-- Returns, of the next :limit RUNNING runs in the order of their last events, after :after and up to :upto, those whose allowance is
-- :seconds: that of their job, else of its namespace, else :default. `last` and `scanned` are the position of the last run that
-- was read and the number of those; each row has them, and there is a row without a run where none matches.
-- parameters: log, after, upto, limit, seconds, default
with page as materialized (
    select r.id, r.position, r.job_id, r.namespace, r.job
      from runfold.runs r
     where r.state = 'RUNNING' and r.position > :after and r.position <= :upto
     order by r.position
     limit :limit
), found as materialized (
    select g.id, g.position, g.namespace, g.job,
           case when own.seconds is not null then 'job'
                when above.seconds is not null then 'namespace'
                else 'service' end as set_by
      from page g
      left join lateral (select j.namespace_id from runfold.jobs j where j.id = g.job_id order by j.position desc limit 1) j on true
      left join lateral (select s.seconds from runfold.silence_settings s where s.id = g.job_id offset 0) own on true
      left join lateral (select s.seconds from runfold.silence_settings s where s.id = j.namespace_id offset 0) above on true
     where coalesce(own.seconds, above.seconds, :default::int) = :seconds::int
)
select p.last, p.scanned, f.id, f.position, f.namespace, f.job, f.set_by, e.recorded_at
  from (select max(g.position) as last, count(*) as scanned from page g) p
  left join found f on true
  left join lateral (
      select t.recorded_at from runfold.events t
       where t.log = :log and t.position between f.position and f.position
       order by t.position offset 0
  ) e on true
 order by f.position
