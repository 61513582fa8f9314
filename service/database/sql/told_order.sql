-- What registers compare of two events of one time, of the one at a position ({position}) of a log ({log}): the phase (registers.phase_of), then
-- the digest. The one that is larger counts.
(select case e.state when 'RUNNING' then '1' when 'COMPLETED' then '2' when 'FAILED' then '3' when 'ABORTED' then '4' else '0' end
        || encode(coalesce(e.payload_digest, e.fact), 'hex')
   from runfold.events e where e.log = {log} and e.position = {position}) collate "C"
