-- Returns the first :limit summaries of a run at a level that end after position :after, in order: as many as fit in :max_bytes, and
-- at least one.
-- parameters: run, level, after, limit, max_bytes
select x.level, x.events, x.first_position, x.last_position, x.earliest, x.latest, x.registers
  from (
      select s.*, coalesce(sum(octet_length(s.registers)) over (order by s.last_position rows unbounded preceding)
                           - octet_length(s.registers), 0) as before
        from (
            select t.* from {schema}.run_summaries t
             where t.id = :run and t.level = :level and t.last_position > :after
             order by t.last_position
             limit :limit
        ) s
  ) x
 where x.before < :max_bytes
 order by x.last_position
