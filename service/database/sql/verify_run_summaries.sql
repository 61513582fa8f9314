-- Returns the summaries of runs, those of each run from its last events to its first ones and the higher levels first, in an order that
-- the reader can merge by.
select s.id, -s.last_position as from_end, -s.level as from_top, s.level, s.first_position, s.last_position, s.events, s.earliest,
       s.latest, s.registers
  from {schema}.run_summaries s
 order by s.id, s.last_position desc, s.level desc
