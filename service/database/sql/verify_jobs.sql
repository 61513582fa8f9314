-- Returns the jobs, in an order that the reader can merge by.
select * from {schema}.jobs j order by j.id
