-- The condition that a row d of runfold.datasets has the name under which its dataset is shown, and that no deletion hides it.
not d.hidden and {shown}
   and not exists (select from runfold.namespaces n where n.id = d.namespace_id and n.deleted > d.seen)
