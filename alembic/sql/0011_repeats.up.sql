-- Transitions that were reported with an Idempotency-Key, by their own time: a refused command is looked up here, whatever
-- the length of its run. Events without a key, which are nearly all, have no entry and cost nothing.
create index events_of_keys on runfold.events (stream, transitioned_at, log) where request_digest is not null;
