"""A database of the version before bound keys gets what their lists need from what it has."""

import asyncio
import json
from uuid import uuid4

from tenants import dataset, lineage

from alembic import command
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database import migrations
from service.database.connections import Connections
from service.domain import timestamps
from service.domain.run import MAX_JOBS
from service.ledger.events import append_events
from service.payloads.openlineage import Origin, read_lineage_event

BEFORE = "0018"


def read(event):
    return read_lineage_event(json.dumps(event).encode(), Origin("openlineage"), timestamps.now())


async def derived(connections):
    async with connections.connection() as connection:
        return [
            [tuple(row) for row in await connection.fetch(f"select * from runfold.{table} order by 1, 2")]
            for table in ("crossing_runs", "dataset_namespaces")
        ]


async def test_runs_that_cross_namespaces_and_namespaces_of_datasets_are_found(dsn, connections):
    crossing, within, many = (str(uuid4()) for _ in range(3))
    events = [
        *(lineage(name, crossing, minute=minute) for minute, name in enumerate(("b", "a", "c"))),
        *(lineage("a", within, minute=minute, job=job) for minute, job in enumerate(("load", "clean"))),
        *(lineage("a", many, job=f"job {number}") for number in range(MAX_JOBS + 1)),
        lineage("a", str(uuid4())),
        *(dataset(name) for name in ("s3://x", "a", "s3://y", "a")),
    ]
    drafts = [read(event) for event in events]
    await append_events(connections, drafts, [None] * len(drafts))
    while (await project_next_page(CatalogProjection(connections))).events:
        pass
    projected = await derived(connections)
    assert {str(row[0]) for row in projected[0]} == {crossing, many}
    assert {row[1] for row in projected[1]} == {"s3://x", "s3://y", "a"}
    await asyncio.to_thread(command.downgrade, migrations._config(dsn), BEFORE)
    await asyncio.to_thread(migrations.upgrade, dsn)
    async with Connections(dsn) as opened:
        assert await derived(opened) == projected
