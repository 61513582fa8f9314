-- Counts the events of a run between two positions, of the first :most ones after the first position (null: any number). Without the
-- filters of count_stream.sql, which a generic plan cannot ignore, it reads the primary key alone.
-- parameters: log, after, upto, run, most
select count(*) as total
  from (
     select t.position from runfold.events t
      where t.log = :log and t.subject = 'run' and t.stream = :run and t.position > :after
      order by t.position limit :most::bigint
  ) s
 where s.position <= :upto
