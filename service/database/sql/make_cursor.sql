-- Adds the cursor of a catalog that is to be projected from the first event on.
-- parameters: log, format
insert into {schema}.{projection}_cursor (log, position, format, oldest_format)
values (:log, 0, :format::smallint, :format::smallint)
