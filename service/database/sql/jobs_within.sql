-- The condition that a job j is in one of some namespaces.
-- parameters: namespace_ids
j.namespace_id = any (:namespace_ids::uuid[])
