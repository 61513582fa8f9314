"""Runs the service on a ledger that was loaded before, once the catalog and the postings are complete."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.database import Database
from bench.programs import DidNotStartError, Program, runfold, serve
from bench.stage import ready
from service.embedded import postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DERIVED_S = 3600.0
ANSWER_S = 120.0

# The positions up to which the catalog is projected and events are posted.
_DERIVED = """
select h.position as head, c.position as projected,
       coalesce((select max(p.chunk) + 1 from runfold.event_postings p
                  where p.log = 0 and p.facet = 0 and p.hash = 0), 0)::bigint * 8192 as posted
  from runfold.ledger_head h, runfold.catalog_cursor c
 where h.log = 0 and c.log = 0
"""
_CHUNK = 8192


@dataclass(frozen=True)
class LedgerStage:
    """What runs; `derived_s`: the seconds it took to complete the catalog and the postings."""

    directory: Path
    data_dir: Path
    service: Program
    database: Database
    http: aiohttp.ClientSession
    head: int
    derived_s: float

    async def get(self, path: str, params: dict[str, str] | None = None) -> tuple[float, Any]:
        """Send a GET; return the milliseconds until the end of the answer, and the decoded body."""
        began = time.perf_counter()
        async with self.http.get(path, params=params) as answer:
            await answer.read()
            milliseconds = (time.perf_counter() - began) * 1000
            answer.raise_for_status()
            return milliseconds, await answer.json(content_type=None)


@asynccontextmanager
async def open_ledger(directory: Path, data_dir: Path) -> AsyncIterator[LedgerStage]:
    """Start the service on a data directory and wait for catalog and postings; stop everything after the block."""
    async with AsyncExitStack() as held:
        service = await Program.start("service", [*runfold(), *serve(data_dir)], directory)
        held.push_async_callback(service.stop)
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        url = f"http://127.0.0.1:{service.port}"
        http = await held.enter_async_context(aiohttp.ClientSession(url, timeout=timeout))
        await ready(http, service)
        dsn = await asyncio.to_thread(postgres.attach, data_dir)
        if dsn is None:
            raise DidNotStartError("the embedded PostgreSQL is not running")
        database = await Database.connect(dsn)
        held.push_async_callback(database.close)
        seconds = await _wait_for_derived(database)
        await database.connection.execute("vacuum (analyze)")  # as autovacuum does with tables that have grown
        yield LedgerStage(directory, data_dir, service, database, http, await database.head(), seconds)


async def _wait_for_derived(database: Database) -> float:
    began = printed = time.monotonic()
    while True:
        head, projected, posted = await database.connection.fetchrow(_DERIVED)
        now = time.monotonic()
        if projected >= head and posted > head - _CHUNK:
            return now - began
        if now - began > DERIVED_S:
            raise DidNotStartError(
                f"{head:,} events, {projected:,} projected, {posted:,} posted after {DERIVED_S:.0f} s"
            )
        if now - printed > 5:
            printed = now
            print(f"projected {projected:,}, posted {posted:,} of {head:,}", file=sys.stderr, flush=True)
        await asyncio.sleep(0.2)
