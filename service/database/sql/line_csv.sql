concat_ws(',', x.log, x.position, x.subject, x.stream, x.kind, coalesce(x.state, ''),
              replace(to_char(x.transitioned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
              replace(to_char(x.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
              coalesce('"' || replace(x.namespace, '"', '""') || '"', ''),
              coalesce('"' || replace(x.job, '"', '""') || '"', ''), coalesce(x.parent_run::text, ''), x.source,
              coalesce('"' || replace(x.actor, '"', '""') || '"', ''), encode(x.fact, 'hex'),
              coalesce(encode(x.request_digest, 'hex'), ''), coalesce(encode(x.payload_digest, 'hex'), ''),
              encode(x.hash, 'hex'), coalesce('"' || replace(x.body::text, '"', '""') || '"', ''))
