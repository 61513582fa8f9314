-- Returns the numbers of runs, without those that are 0, in an order that the reader can merge by.
select c.job_id, c.state, pg_catalog.sum(c.total)::bigint as total
  from {schema}.run_counts c
 group by c.job_id, c.state
having pg_catalog.sum(c.total) <> 0
 order by c.job_id, c.state collate "C"
