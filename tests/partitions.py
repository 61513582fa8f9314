"""Payload partitions small enough to fill, and checks of a ledger after archiving or erasing."""

from datetime import UTC, datetime, timedelta
from functools import cache
from runpy import run_path
from typing import Any
from uuid import UUID

import asyncpg
from building import fact
from programs import REPOSITORY

from service.audit.verification import verify_ledger
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import WrittenPage, project_next_page
from service.database.connections import Connections
from service.domain.draft import Draft
from service.domain.event import RunState
from service.ledger.events import AppendedBatch, append_events
from service.lineage.pages import projections

SIZE = 10
LATER = datetime.now(UTC) + timedelta(days=1)
RUNS = [UUID(int=number, version=4) for number in range(1, 6)]


def small_partitions(size: int = SIZE) -> str:
    """Return the SQL that makes partitions of `size` positions."""
    return f"""
        create or replace function runfold.payload_partition_size() returns bigint language sql immutable
            as 'select {size}::bigint';
        drop table runfold.payloads_0, runfold.payloads_1;
        select runfold.ensure_payload_partition(0), runfold.ensure_payload_partition(1);
    """


async def append(connections: Connections, *drafts: Draft) -> AppendedBatch:
    return await append_events(connections, drafts, [None] * len(drafts))


async def fill(db: asyncpg.Connection, connections: Connections) -> None:
    """Append twenty-five events of five runs, a payload with each: two partitions of ten positions are full."""
    await db.execute(small_partitions())
    for minute in range(SIZE * 5 // 2):
        await append(connections, fact(RUNS[minute % 5], RunState.RUNNING, minute))


async def time_of(db: asyncpg.Connection, position: int) -> datetime:
    """Return when a position was recorded: what was recorded before that time are the positions before it."""
    return await db.fetchval("select recorded_at from runfold.events where position = $1", position)


async def project_catalog(connections: Connections, events: int | None = None) -> WrittenPage:
    """Project a page into the catalog."""
    return await project_next_page(CatalogProjection(connections), events)


async def project_all(connections: Connections) -> None:
    for projection in projections(connections):
        while (await project_next_page(projection)).events:
            pass


async def catalog(db: asyncpg.Connection) -> list[tuple[object, ...]]:
    tables = ("runs", "jobs", "namespaces")
    return [tuple(row) for table in tables for row in await db.fetch(f"select * from runfold.{table} order by id")]


async def example_says(dsn: str) -> str:
    """Return the result of docs/verify_example.py, in this process; tests/acceptance/test_first_hour.py runs it."""
    return await _example()["verify"](dsn) or "the ledger holds"


@cache
def _example() -> dict[str, Any]:
    return run_path(str(REPOSITORY / "docs/verify_example.py"))


async def holds(dsn: str) -> None:
    """Verify the ledger, by the service's own code and by the example that shares none of it."""
    result = await verify_ledger(dsn)
    assert result.ok, result
    assert await example_says(dsn) == "the ledger holds"
