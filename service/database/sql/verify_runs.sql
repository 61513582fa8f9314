-- Returns the runs, in an order that the reader can merge by.
select * from {schema}.runs r order by r.id
