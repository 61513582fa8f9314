"""Every derived table can be forged by an UPDATE, and is found by comparing it with the ledger.

Here those of datasets and lineage, and those of the catalog that test_catalog_check.py leaves empty.
"""

from uuid import uuid4

import msgspec
import pytest
from building import unguarded
from databases import filled
from lineage_events import columns, dataset, dataset_event, project, record, run_event
from partitions import project_all
from test_catalog_check import FORGERIES

from service.database.connections import Connections
from service.domain import timestamps
from service.domain.draft import namespace_target
from service.ledger import drafts
from service.ledger.drafts import Caller
from service.ledger.events import append_events
from service.lineage.statements import TABLES
from service.maintenance.catalog_check import check_catalog
from service.maintenance.rebuild import rebuild_catalog
from service.payloads.contents import namespace_content
from service.payloads.schemas import PutNamespace

pytestmark = pytest.mark.copy_of("derived_lineage")

CATALOG = {"run_jobs", "crossing_runs", "dataset_namespaces", "silence_settings"}
FILLED = sorted(set(TABLES) - {"lineage_cursor", "lineage_set_aside"} | CATALOG)
EVIDENCE = {"events", "payloads", "ledger_head"}
NO_ANSWERS = {"catalog_requests", "silence_monitor", "catalog_set_aside", "lineage_set_aside"}
"""Tables that say how processes take turns, and what could not be projected, which is not derived from the ledger."""
PACKED = {"dataset_versions": "content"} | dict.fromkeys(
    ("datasets", "run_datasets", "column_mappings", "sources", "tags", "search_entries"), "registers"
)
CHANGES = {
    "datasets": "hidden = not hidden",
    "lineage_namespaces": "updated_at = created_at - interval '1 hour'",
    "dataset_links": "at = at + interval '1 hour'",
    "dataset_events": "role = 16 - role",
    "dataset_versions": "created_at = created_at + interval '1 hour'",
    "run_datasets": "job_version = run_id",
    "lineage_edges": "current = not current",
    "column_mappings": "position = position + 1",
    "column_inputs": "input_id = job_id",
    "sources": "name = 'other'",
    "tags": "name = 'other'",
    "search_entries": "words = 'other'",
    "event_type_counts": "total = total + 1",
    "run_jobs": "created_at = created_at + interval '1 hour'",
    "crossing_runs": "namespaces = array[job_id]",
    "dataset_namespaces": "name = 'other'",
    "silence_settings": "seconds = seconds + 1",
}


async def derive(dsn):
    """Project events that fill every table."""
    async with Connections(dsn) as connections:
        mapping = {"fields": {"id": {"inputFields": [{"namespace": "ds", "name": "raw", "field": "id"}]}}}
        source = {"name": "warehouse", "uri": "postgres://warehouse:5432"}
        links = {"identifiers": [{"namespace": "ds", "name": "alias", "type": "TABLE"}]}
        orders = dataset(
            "orders", schema=columns(id="bigint"), columnLineage=mapping, dataSource=source, symlinks=links
        )
        tags = {"tags": [{"key": "pii", "value": "yes", "source": "test"}]}
        definition = PutNamespace("me", silentAfterSeconds=60)
        content = namespace_content(definition, timestamps.now(), b"0123456789abcdef")
        draft = drafts.definition(
            namespace_target("etl"),
            timestamps.now(),
            msgspec.json.encode(definition),
            content,
            Caller(None, None, None),
        )
        await append_events(connections, [draft], [None])
        run = uuid4()
        await record(
            connections,
            run_event("load", run=run),
            run_event("unload", run=run, namespace="elsewhere"),
            run_event("load", ["raw"], [orders]),
            run_event("load", ["raw"], [orders], at=5),
            dataset_event("raw", schema=columns(id="bigint"), tags=tags, at=6),
        )
        await project_all(connections)
        await project(connections)


@pytest.fixture(scope="module")
def derived_lineage(postgres):
    with filled(postgres, derive) as name:
        yield name


async def found(dsn):
    checked = await check_catalog(dsn)
    return {text.partition(" ")[0].rstrip(":") for text in checked.differences}


async def test_every_table_is_forged_in_these_tests(db, dsn):
    assert await found(dsn) == set()
    assert set(CHANGES) == set(FILLED)
    tables = await db.fetch(
        "select relname from pg_class where relnamespace = 'runfold'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition"
    )
    elsewhere = {name.partition(".")[0] for name in FORGERIES} | {"lineage_cursor"}
    assert {name for (name,) in tables} == elsewhere | set(FILLED) | EVIDENCE | NO_ANSWERS
    await db.execute("update runfold.lineage_cursor set position = 1000000")
    assert await found(dsn) == {"lineage_cursor"}
    for table in FILLED:
        assert await db.fetchval(f"select count(*) from runfold.{table}"), table


def removed(table):
    return f"delete from runfold.{table} where ctid = (select min(ctid) from runfold.{table})"


def changed(table):
    return f"update runfold.{table} set {CHANGES[table]} where ctid = (select min(ctid) from runfold.{table})"


def packed_anew(table):
    column = PACKED[table]
    which = f"select min(ctid) from runfold.{table} where {column} is not null"
    return f"update runfold.{table} set {column} = {column} || '\\x00' where ctid = ({which})"


@pytest.mark.parametrize(("forge", "tables"), [(removed, FILLED), (changed, FILLED), (packed_anew, sorted(PACKED))])
async def test_each_forged_table_is_found_and_named_and_rebuild_repairs_it(forge, tables, db, dsn):
    for table in tables:
        await unguarded(db, forge(table))
    assert await found(dsn) == set(tables)
    await rebuild_catalog(dsn)
    assert await found(dsn) == set()
