-- Writes a summary of events of a run.
-- parameters: run, level, events, first, last, earliest, latest, registers
insert into {schema}.run_summaries (id, level, events, first_position, last_position, earliest, latest, registers)
values (:run, :level, :events, :first, :last, :earliest, :latest, :registers)
on conflict (id, level, last_position) do update set registers = excluded.registers
