-- The condition that a row d belongs to one of some namespaces.
-- parameters: namespace_ids
d.namespace_id = any (:namespace_ids::uuid[])
