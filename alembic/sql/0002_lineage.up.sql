-- For GET /events/lineage: OpenLineage events by their own time, all or of one namespace.

-- log last, as in events_position_key. left(): a name can be too long for an index entry.
create index events_lineage on runfold.events (transitioned_at, position, log)
 where source in ('openlineage', 'import');
create index events_lineage_of_namespace on runfold.events (left(namespace, 64), transitioned_at, position, log)
 where source in ('openlineage', 'import');

-- Their number in each hour, projected with the catalog: totalCount without a scan. The empty digest counts all.
create table runfold.lineage_counts (
    log       int    not null,
    namespace bytea  not null,   -- SHA-256 of the name
    hour      bigint not null,   -- since 1970
    total     bigint not null,
    primary key (log, namespace, hour)
);

create function runfold.hour_of(at timestamptz) returns bigint
language sql immutable parallel safe return floor(extract(epoch from at) / 3600)::bigint;

create function runfold.hour_begins(hour bigint) returns timestamptz
language sql immutable parallel safe return to_timestamp(hour * 3600);

create function runfold.namespace_digest(namespace text) returns bytea
language sql immutable parallel safe return sha256(convert_to(namespace, 'UTF8'));

-- Events that were projected before there were counters.
insert into runfold.lineage_counts (log, namespace, hour, total)
select e.log, coalesce(runfold.namespace_digest(e.namespace), ''), runfold.hour_of(e.transitioned_at), count(*)
  from runfold.events e
  join runfold.catalog_cursor c on c.log = e.log and e.position <= c.position
 where e.source in ('openlineage', 'import')
 group by grouping sets ((e.log, e.namespace, runfold.hour_of(e.transitioned_at)),
                         (e.log, runfold.hour_of(e.transitioned_at)));
