-- Removes the setting for silent runs of a job or namespace.
-- parameters: id
delete from {schema}.silence_settings s where s.id = :id
