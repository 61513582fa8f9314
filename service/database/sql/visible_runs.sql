-- The condition that a run t is one of some namespaces, all of them within a binding, and that a key with it may see the run.
-- parameters: namespaces
t.namespace = any (:namespaces::text[]) and {visible_run}
