-- Asks the projectors of a newer version to project up to a position, because a reader of this process waits for it.
-- parameters: log, position
insert into runfold.catalog_requests as r (log, position) values (:log, :position)
on conflict (log) do update set position = excluded.position where r.position < excluded.position
