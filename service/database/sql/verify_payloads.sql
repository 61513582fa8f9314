-- Digests of payloads; taken where the payloads are, which may be gigabytes. $1 log, $2 first position, $3 last position.
select p.position, sha256(convert_to(p.body::text, 'UTF8'))
  from runfold.payloads p
 where p.log = $1 and p.position between $2 and $3
