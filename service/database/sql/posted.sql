-- Up to which position events are posted, where the log ends, its hash, and when that was recorded. $1 log.
select coalesce((select p.chunk + 1 from runfold.event_postings p
                  where p.log = $1 and p.facet = 0 and p.hash = 0
                  order by p.chunk desc limit 1), 0)::bigint * 8192 as posted,
       h.position, h.hash, h.recorded_at
  from runfold.ledger_head h
 where h.log = $1
