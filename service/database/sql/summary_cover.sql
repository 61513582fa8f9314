-- Returns what a part of a run's history is merged from, in the order of positions: the summaries of the highest levels below :below
-- that lie in it wholly, and those of level 0 that lie in it partly (`whole` is false). The part: positions after :after up to :upto,
-- and times up to :happened_by (null: any). The answer ends where the registers have more than :max_bytes; `found` is the number of
-- rows without that bound. Each row, and at least one, has the last position that is summarized.
-- parameters: run, after, upto, happened_by, below, with_registers, max_bytes
with recursive tree as (
    select r.*
      from generate_series(0, {levels} - 1) as l (level)
     cross join lateral (
          -- those that no summary of the next level has
          select {columns}
            from {schema}.run_summaries s
           where s.id = :run and s.level = l.level and {overlaps}
             and s.last_position > coalesce((select p.last_position from {schema}.run_summaries p
                                              where p.id = :run and p.level = l.level + 1 order by p.last_position desc limit 1), 0)
          offset 0
     ) r
     union all
    select c.*
      from tree t
     cross join lateral (
          select {columns}
            from {schema}.run_summaries s
           where s.id = :run and s.level = t.level - 1 and {overlaps}
             and s.last_position >= t.first_position and s.last_position <= t.last_position
          offset 0
     ) c
     where t.level > 0 and not t.whole
)
select u.summarized, f.level, f.events, f.first_position, f.last_position, f.earliest, f.latest, f.whole, f.found,
       case when f.whole and :with_registers then f.registers end as registers
  from (
      select coalesce(max(s.last_position), 0) as summarized from {schema}.run_summaries s where s.id = :run and s.level = 0
  ) u
  left join (
      select t.*, count(*) over () as found,
             sum(t.size) over (order by t.last_position) - t.size as before
        from (
            select x.*, case when x.whole and :with_registers then coalesce(octet_length(x.registers), 0) else 0 end as size
              from tree x
             where x.whole or x.level = 0
        ) t
  ) f on f.before < :max_bytes
 order by f.last_position
