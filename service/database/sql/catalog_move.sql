-- Moves the cursor.
-- parameters: log, cursor
update {schema}.catalog_cursor c set position = :cursor where c.log = :log
