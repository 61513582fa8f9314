-- Removes the entries of names of datasets that are not the primary ones any more.
-- parameters: ids
delete from {schema}.search_entries e where e.kind = 1 and e.id = any(:ids::uuid[])
