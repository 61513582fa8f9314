-- Returns the runs that name jobs of several namespaces, in an order that the reader can merge by.
select * from {schema}.crossing_runs c order by c.run_id, c.job_id
