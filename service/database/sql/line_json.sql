concat('{"log":', x.log, ',"position":', x.position, ',"subject":"', x.subject, '","id":"', x.stream,
              '","kind":"', x.kind, '","state":', coalesce('"' || x.state || '"', 'null'),
              ',"transitionedAt":"', replace(to_char(x.transitioned_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
              '","recordedAt":"', replace(to_char(x.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z'),
              '","namespace":', coalesce(to_json(x.namespace)::text, 'null'),
              ',"job":', coalesce(to_json(x.job)::text, 'null'),
              ',"parentRun":', coalesce('"' || x.parent_run || '"', 'null'),
              ',"source":"', x.source, '","actor":', coalesce(to_json(x.actor)::text, 'null'),
              ',"fact":"', encode(x.fact, 'hex'),
              '","requestDigest":', coalesce('"' || encode(x.request_digest, 'hex') || '"', 'null'),
              ',"payloadDigest":', coalesce('"' || encode(x.payload_digest, 'hex') || '"', 'null'),
              ',"hash":"', encode(x.hash, 'hex'), '","payload":', coalesce(x.body::text, 'null'),
              case when x.body is null and x.payload_digest is not null then (
                  {absent}) end, '}')
