-- Moves the cursor. $1 log, $2 position.
update runfold.catalog_cursor c set position = $2 where c.log = $1
