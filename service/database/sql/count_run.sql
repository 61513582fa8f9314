-- Counts the events of a run between two positions. Without the filters of count_stream.sql, which a generic plan cannot
-- ignore, it reads the primary key alone.
-- parameters: log, after, upto, run
select count(*) as total
  from (
     select t.position from runfold.events t
      where t.log = :log and t.subject = 'run' and t.stream = :run and t.position > :after
      order by t.position offset 0
  ) s
 where s.position <= :upto
