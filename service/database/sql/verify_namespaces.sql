-- Returns the namespaces, in an order that the reader can merge by.
select * from {schema}.namespaces n order by n.id
