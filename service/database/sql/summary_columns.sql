-- A summary, and whether all of its events are of a part of a history.
-- parameters: after, upto, happened_by, below
s.level, s.events, s.first_position, s.last_position, s.earliest, s.latest, s.registers,
                 s.first_position > :after and s.last_position <= :upto and s.level < :below
                 and (:happened_by::timestamptz is null or s.latest <= :happened_by) as whole
