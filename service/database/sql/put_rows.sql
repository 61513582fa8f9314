-- Writes rows of a table whose rows change with nearly every page. The newest version of each is found first, however many older ones
-- there are (docs/decisions/0018-newest-version-first.md): a row that is there is updated where this version is stored, another one is
-- inserted. A join by the key might read the whole index. One process at a time writes these rows, under the cursor's lock; `on
-- conflict` would read every version.
with {rows}
select 1
