-- Sets how many events of a run are not summarized.
-- parameters: run, since
update {schema}.runs r set since = :since where r.id = :run
