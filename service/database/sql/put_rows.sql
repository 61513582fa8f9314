-- Writes rows of a table whose rows change with nearly every page. Each is found by its newest version, however many older ones there
-- are (docs/decisions/0018-newest-version-first.md): a row that is there is updated by its whole key, another one is inserted. One
-- process at a time writes them, under the cursor's lock; `on conflict` would read every version.
with {rows}
select 1
