-- Moves when datasets were last told of.
-- parameters: ids, updated_at, positions
update {schema}.search_entries e set updated_at = w.updated_at, position = w.position
  from unnest(:ids::uuid[], :updated_at::timestamptz[], :positions::bigint[]) as w (id, updated_at, position)
 where e.kind = 1 and e.id = w.id
