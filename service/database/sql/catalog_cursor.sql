-- How far the catalog is folded. $1 log.
select c.position from runfold.catalog_cursor c where c.log = $1
