-- Returns the registers of runs, and how many events of each are in no summary. Registers beyond the
-- first :max_bytes are null. `octet_length` does not read a value that is stored out of line.
-- parameters: ids, max_bytes
select s.id, case when s.size <= :max_bytes then s.registers end as registers, s.since
  from (
      select c.id, c.registers, c.since, sum(octet_length(c.registers)) over (rows unbounded preceding) as size
        from unnest(:ids::uuid[]) as w (id)
       cross join lateral (
           select t.id, t.registers, t.since from {schema}.runs t where t.id = w.id offset 0
       ) c
  ) s
