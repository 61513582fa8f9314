-- How many events a run has between positions. $1 log, $2 after, $3 up to, $4 run. Without the filters of count_stream.sql,
-- of which a plan made once for all takes no notice, it reads the primary key alone.
select count(*)
  from (
     select t.position from runfold.events t
      where t.log = $1 and t.subject = 'run' and t.stream = $4 and t.position > $2
      order by t.position offset 0
  ) s
 where s.position <= $3
