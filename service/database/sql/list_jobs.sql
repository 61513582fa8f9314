-- Returns jobs, the last updated first: of one namespace (null: of all, or of those within a binding) whose latest run is in one of the states (null: any).
-- parameters: namespace_id, states, prefix, limit, offset
select {columns}
  from runfold.jobs j
 where {visible}
   and (:namespace_id::uuid is null or j.namespace_id = :namespace_id)
   and {within}
   and (:prefix::text is null or j.name ^@ :prefix)
   and (:states::text[] is null or {newest_run_state} = any (:states))
 order by j.updated_at desc, j.id
 limit :limit offset :offset
