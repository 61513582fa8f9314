drop table runfold.event_type_counts, runfold.search_entries, runfold.tags, runfold.sources, runfold.column_inputs, runfold.column_mappings, runfold.lineage_edges,
           runfold.run_datasets, runfold.dataset_versions, runfold.dataset_events, runfold.dataset_links, runfold.lineage_namespaces, runfold.datasets,
           runfold.lineage_set_aside, runfold.lineage_cursor;
update runfold.catalog_cursor set format = least(format, 3), oldest_format = least(oldest_format, 3);
do $change$
declare
    before text := pg_get_functiondef('runfold.erase_payloads(int, bigint[], text, text)'::regprocedure);
    after  text := replace(before, $$'namespace', 'dataset', 'source', 'tag')$$, $$'namespace', 'dataset')$$);
begin
    if after = before then
        raise exception 'runfold.erase_payloads does not look for subjects as expected';
    end if;
    execute after;
end
$change$;
