-- Returns the settings for silent runs, in an order that the reader can merge by.
select * from {schema}.silence_settings s order by s.id
