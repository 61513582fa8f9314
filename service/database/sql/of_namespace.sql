-- The condition that a row d belongs to a namespace. An equality keeps the order of the index, which a list of one does not.
-- parameters: namespace_id
d.namespace_id = :namespace_id
