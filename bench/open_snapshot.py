"""Measures what an open snapshot costs: `bench/open_snapshot.py [--batches N]`.

Two databases in one embedded PostgreSQL get the same batches of one event, by the service's own statements, in pieces
that take turns. In one of them a `repeatable read` transaction is open from the beginning to the end, as in a backup.
After every tenth batch a page of the catalog is projected. The table shows, for each quarter of the batches, the rates
of both and their ratio. `synchronous_commit` is off: the time of an fsync would hide what PostgreSQL does.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import asyncpg

from bench.tasks import run_until_terminated
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.database import migrations
from service.database.connections import Connections
from service.domain.event import NO_CONTENT
from service.domain.timestamps import now
from service.embedded.postgres import EmbeddedPostgres
from service.ledger.drafts import Caller, new_run
from service.ledger.events import append_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BATCHES = 20_000
QUARTERS = 4
PIECE = 100
PAGE = 10
JOBS = 3

_SETTINGS = {"synchronous_commit": "off", "max_wal_size": "4GB"}


@dataclass
class Side:
    """A database, and the seconds that appends and projected pages took in each quarter."""

    dsn: str
    append_s: list[float] = field(default_factory=lambda: [0.0] * QUARTERS)
    project_s: list[float] = field(default_factory=lambda: [0.0] * QUARTERS)


async def measure(dsns: tuple[str, str], batches: int) -> tuple[Side, Side]:
    """Append to both databases in turns; in the second one a snapshot is open."""
    sides = Side(dsns[0]), Side(dsns[1])
    async with AsyncExitStack() as held:
        opened = [
            (
                await held.enter_async_context(Connections(side.dsn, keep_plans=True)),
                await held.enter_async_context(Connections(side.dsn)),
            )
            for side in sides
        ]
        await held.enter_async_context(_open_snapshot(sides[1].dsn))
        pairs = list(zip(sides, opened, strict=True))
        for piece in range(batches // PIECE):
            quarter = piece * PIECE * QUARTERS // batches
            for side, (appending, projecting) in pairs if piece % 2 else pairs[::-1]:
                await _piece(side, appending, projecting, quarter)
    return sides


async def _piece(side: Side, appending: Connections, projecting: Connections, quarter: int) -> None:
    for _ in range(PIECE // PAGE):
        began = time.perf_counter()
        for number in range(PAGE):
            draft = new_run(uuid4(), ("bench", f"job {number % JOBS}"), now(), b"", NO_CONTENT, Caller())
            await append_events(appending, [draft], [None])
        appended = time.perf_counter()
        await project_next_page(CatalogProjection(projecting))
        side.append_s[quarter] += appended - began
        side.project_s[quarter] += time.perf_counter() - appended


@asynccontextmanager
async def _open_snapshot(dsn: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("select position from runfold.ledger_head")
            yield
    finally:
        await connection.close()


def table(without: Side, held: Side, batches: int) -> str:
    """Return the figures: per second without and with the snapshot, and the ratio of both."""
    lines = [f"{'batches':>16} {'appends/s':>10} {'held':>8} {'ratio':>6} {'pages/s':>9} {'held':>8} {'ratio':>6}"]
    size = batches // QUARTERS
    for quarter in range(QUARTERS):
        columns = []
        for one, other, count in (
            (without.append_s[quarter], held.append_s[quarter], size),
            (without.project_s[quarter], held.project_s[quarter], size / PAGE),
        ):
            columns.append(f"{count / one:10,.0f} {count / other:8,.0f} {one / other:6.2f}")
        lines.append(f"{quarter * size:>7,} to {(quarter + 1) * size:>5,} {' '.join(columns)}")
    appends = sum(without.append_s) / sum(held.append_s)
    pages = sum(without.project_s) / sum(held.project_s)
    return "\n".join([*lines, f"ratio of all appends: {appends:.3f}, of all pages: {pages:.3f}"])


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=BATCHES, help="batches in each database (default %(default)s)")
    options = parser.parse_args()
    batches = max(1, options.batches // (PIECE * QUARTERS)) * PIECE * QUARTERS
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(Path(directory), settings=_SETTINGS) as postgres,
    ):
        asyncio.run(run_until_terminated(_run(postgres.dsn, batches)))


async def _run(dsn: str, batches: int) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create database held")
    await connection.close()
    dsns = dsn, dsn.replace("/runfold?", "/held?")
    for one in dsns:
        await asyncio.to_thread(migrations.upgrade, one)
    print(table(*await measure(dsns, batches), batches))


if __name__ == "__main__":
    main()
