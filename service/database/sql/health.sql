-- Returns whether the database refuses writes, and how many events are left out of the catalog; :limit stands for more.
-- parameters: log, limit
select current_setting('transaction_read_only') = 'on' as read_only,
       (select count(*) from (select from runfold.catalog_set_aside a where a.log = :log limit :limit) s) as set_aside
