-- Returns whether the database refuses writes, and how many events are left out of the catalog, and of datasets and lineage; :limit
-- stands for more.
-- parameters: log, limit
select current_setting('transaction_read_only') = 'on' as read_only,
       (select count(*) from (select from runfold.catalog_set_aside a where a.log = :log limit :limit) s) as set_aside,
       (select count(*) from (select from runfold.lineage_set_aside a where a.log = :log limit :limit) s) as lineage_set_aside
