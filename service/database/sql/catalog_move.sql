-- Moves the cursor from the position at which it was locked.
-- parameters: log, page_after, cursor, format
update {schema}.{projection}_cursor c set position = :cursor, format = :format
 where c.log = :log and c.position = :page_after
