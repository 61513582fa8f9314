-- Whether a summary may have events of a part of a history.
-- parameters: after, upto, happened_by
s.last_position > :after and s.first_position <= :upto and (:happened_by::timestamptz is null or s.earliest <= :happened_by)
