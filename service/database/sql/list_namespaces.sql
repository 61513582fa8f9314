-- $1 limit, $2 offset.
select n.registers from runfold.namespaces n where not n.hidden order by left(n.name, 256), n.name limit $1 offset $2
