-- Returns the position up to which events are posted, and the last position of the log with its hash and time.
-- parameters: log
select coalesce((select p.chunk + 1 from {schema}.event_postings p
                  where p.log = :log and p.facet = 0 and p.hash = 0
                  order by p.chunk desc limit 1), 0)::bigint * 8192 as posted,
       h.position, h.hash, h.recorded_at
  from runfold.ledger_head h
 where h.log = :log
 order by h.position desc
 limit 1
