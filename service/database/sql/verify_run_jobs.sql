-- Returns the runs that name jobs besides their own, in an order that the reader can merge by.
select * from {schema}.run_jobs j order by j.job_id, j.run_id
