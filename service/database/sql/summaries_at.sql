-- Returns the summaries of a run at a level that have one of some positions, without their registers.
-- parameters: run, level, positions
select distinct s.level, s.events, s.first_position, s.last_position, s.earliest, s.latest, null::bytea as registers
  from unnest(:positions::bigint[]) as w (position)
 cross join lateral (
     select t.* from {schema}.run_summaries t
      where t.id = :run and t.level = :level and t.last_position >= w.position
      order by t.last_position
      limit 1
 ) s
 where s.first_position <= w.position
 order by s.last_position
