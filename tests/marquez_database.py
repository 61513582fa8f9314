"""A database with the tables of Marquez that an import reads, and what fills it as Marquez would."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

TABLES = """
create table lineage_events (
    event_time timestamptz, event jsonb, event_type text, job_name text, job_namespace text, producer text,
    run_uuid uuid, created_at timestamptz default now(), _event_type varchar(64) default 'RUN_EVENT'
);
create index on lineage_events (created_at desc nulls last);
create index on lineage_events (run_uuid);
create table namespaces (
    uuid uuid primary key, created_at timestamptz, updated_at timestamptz, name varchar unique, description text,
    current_owner_name varchar(64), is_hidden boolean default false
);
create table sources (
    uuid uuid primary key, type varchar(64), created_at timestamptz, updated_at timestamptz, name varchar unique,
    connection_url varchar, description text
);
create table tags (
    uuid uuid primary key, created_at timestamptz, updated_at timestamptz, name varchar unique, description text
);
create table datasets (
    uuid uuid primary key, type varchar(64), created_at timestamptz, updated_at timestamptz, namespace_uuid uuid,
    source_uuid uuid, name varchar, physical_name varchar, description text, current_version_uuid uuid,
    namespace_name varchar, source_name varchar, is_deleted boolean default false, is_hidden boolean default false
);
create table dataset_versions (
    uuid uuid primary key, created_at timestamptz, dataset_uuid uuid, version uuid, run_uuid uuid, fields jsonb,
    lifecycle_state varchar(63)
);
create table stream_versions (dataset_version_uuid uuid, schema_location varchar);
create table dataset_fields (
    uuid uuid primary key, type text, created_at timestamptz, updated_at timestamptz, dataset_uuid uuid, name varchar,
    description text
);
create table dataset_facets (uuid uuid, dataset_uuid uuid, name varchar, facet jsonb);
create table jobs (
    uuid uuid primary key, type varchar(64), created_at timestamptz, updated_at timestamptz, namespace_uuid uuid,
    simple_name varchar, name varchar, description text, current_version_uuid uuid, namespace_name varchar,
    current_location varchar, current_inputs jsonb, symlink_target_uuid uuid, parent_job_uuid uuid,
    is_hidden boolean default false
);
create table job_versions_io_mapping (job_version_uuid uuid, dataset_uuid uuid, io_type varchar(64));
create table runs (
    uuid uuid primary key, created_at timestamptz, updated_at timestamptz, run_args_uuid uuid, namespace_name varchar,
    job_name varchar, nominal_start_time timestamp, nominal_end_time timestamp, current_run_state varchar(64),
    external_id varchar, parent_run_uuid uuid
);
create table runs_input_mapping (run_uuid uuid, dataset_version_uuid uuid);
create table run_args (uuid uuid primary key, args text);
create table run_states (uuid uuid primary key, transitioned_at timestamptz, run_uuid uuid, state varchar(64));
create table datasets_tag_mapping (dataset_uuid uuid, tag_uuid uuid, tagged_at timestamp);
create table dataset_fields_tag_mapping (dataset_field_uuid uuid, tag_uuid uuid, tagged_at timestamp);
create table jobs_tag_mapping (job_uuid uuid, tag_uuid uuid, tagged_at timestamptz);
"""

START = datetime(2024, 3, 1, tzinfo=UTC)


class Marquez:
    """A database of Marquez. Each method writes what a request to Marquez leaves in it; times go up by a minute."""

    def __init__(self, db) -> None:
        self.db = db
        self.minutes = 0
        self.ids = {}

    async def create(self):
        await self.db.execute(TABLES)
        return self

    def now(self):
        self.minutes += 1
        return START + timedelta(minutes=self.minutes)

    async def insert(self, table, **values):
        columns = ", ".join(values)
        numbers = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.db.execute(f"insert into {table} ({columns}) values ({numbers})", *values.values())

    async def named(self, table, key, **values):
        """Insert a row with an id unless there is one with this key; return the id."""
        if (table, key) not in self.ids:
            self.ids[table, key] = uuid4()
            await self.insert(table, uuid=self.ids[table, key], **values)
        return self.ids[table, key]

    async def namespace(self, name, owner="anonymous", description=None, **values):
        now = self.now()
        values |= {"created_at": now, "updated_at": now, "current_owner_name": owner, "description": description}
        return await self.named("namespaces", name, name=name, **values)

    async def source(self, name, kind, url, description=None):
        now = self.now()
        values = {"type": kind, "connection_url": url, "description": description}
        return await self.named("sources", name, name=name, created_at=now, updated_at=now, **values)

    async def tag(self, name, description=None):
        now = self.now()
        return await self.named("tags", name, name=name, description=description, created_at=now, updated_at=now)

    async def dataset(self, namespace, name, source="default", fields=(), kind="DB_TABLE", **values):
        now, version = self.now(), uuid4()
        names = {"namespace_uuid": await self.namespace(namespace), "namespace_name": namespace, "name": name}
        names |= {"physical_name": name, "source_name": source, "current_version_uuid": version, "type": kind} | values
        dataset = await self.named("datasets", (namespace, name), created_at=now, updated_at=now, **names)
        fields = [{"name": field, "type": kind, "tags": [], "description": None} for field, kind in fields]
        row = {"dataset_uuid": dataset, "version": uuid4(), "created_at": now, "fields": json.dumps(fields)}
        await self.insert("dataset_versions", uuid=version, **row)
        for field in fields:
            key = (namespace, name, field["name"])
            row = {"name": field["name"], "type": field["type"], "dataset_uuid": dataset}
            await self.named("dataset_fields", key, created_at=now, updated_at=now, **row)
        return dataset

    async def job(self, namespace, name, inputs=(), **values):
        now = self.now()
        values = {
            "type": "BATCH",
            "current_inputs": json.dumps([{"namespace": one, "name": other} for one, other in inputs]),
        } | values
        names = {"namespace_uuid": await self.namespace(namespace), "namespace_name": namespace, "name": name}
        names["simple_name"] = values.pop("simple_name", name)
        return await self.named("jobs", (namespace, name), created_at=now, updated_at=now, **names, **values)

    async def run(self, namespace, job, states, args=None, nominal=None, external_id=None):
        """Return the id of a run with these states, a minute apart."""
        run, arguments, now = uuid4(), uuid4(), self.now()
        await self.job(namespace, job)
        await self.insert("run_args", uuid=arguments, args=json.dumps(args or {}))
        names = {"namespace_name": namespace, "job_name": job, "run_args_uuid": arguments, "external_id": external_id}
        await self.insert(
            "runs",
            uuid=run,
            created_at=now,
            updated_at=now,
            nominal_start_time=nominal,
            current_run_state=states[-1],
            **names,
        )
        for state in ("NEW", *states):
            row = {"run_uuid": run, "state": state, "transitioned_at": self.now()}
            await self.insert("run_states", uuid=uuid4(), **row)
        return run

    async def event(self, body, created_at=None):
        """Store an OpenLineage event, and the rows that Marquez makes of it."""
        event, job, run = body, body.get("job", {}), body.get("run", {}).get("runId")
        await self.insert(
            "lineage_events",
            event_time=datetime.fromisoformat(event["eventTime"]),
            event=json.dumps(event),
            event_type=event.get("eventType"),
            job_name=job.get("name"),
            job_namespace=job.get("namespace"),
            run_uuid=run,
            created_at=created_at or self.now(),
        )
        if run is not None and ("run", run) not in self.ids:
            self.ids["run", run] = run
            await self.job(job["namespace"], job["name"])
            names = {"namespace_name": job["namespace"], "job_name": job["name"], "external_id": run}
            await self.insert("runs", uuid=run, created_at=self.now(), **names)
        for dataset in event.get("outputs", []):
            made = await self.dataset(dataset["namespace"], dataset["name"])
            await self.insert("dataset_facets", uuid=uuid4(), dataset_uuid=made, name="schema", facet="{}")
