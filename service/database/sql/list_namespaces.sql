-- Returns namespaces by name, without the hidden ones: all, or those within a binding.
-- parameters: limit, offset
select n.id, n.registers from runfold.namespaces n
 where not n.hidden and {within}
 order by left(n.name, 256), n.name limit :limit offset :offset
