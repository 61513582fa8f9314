"""Measures questions about runs by their length, and what summaries cost: `bench/long_runs.py [--times N]`.

Runs of 100, 1,000 and 40,000 events are reported to the service in the order of their times, and another one of 40,000
in no order. Medians are of requests one after another; `longest pause` is the longest time in which the service did not
answer `/livez` while a question was answered. Then the heartbeats of one run, and those of 1,000 runs in turns, are
projected and summarized by the functions that the projector calls.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import asyncpg

from bench.database import Database, new_id
from bench.programs import Program, runfold
from bench.stage import ready
from bench.tasks import ask_repeatedly
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.ledger_projection import project_next_page
from service.catalog.statements import TABLES
from service.catalog.summarizer import summarize_next
from service.database import migrations
from service.database.connections import Connections
from service.ledger import cursors
from service.ledger.events import LOG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

API = "/api/v1"
LENGTHS = (100, 1_000, 40_000)
RUNS, EVENTS_OF_RUN = 1_000, 160
TIMES = 20
BATCH = 5_000
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SETTINGS = {"fsync": "off", "synchronous_commit": "off"}
_EVENT = (
    '{"eventTime":"%s","eventType":"%s","run":{"runId":"%s","facets":{"progress":{"rows":%d}}},"job":{"namespace":'
    '"bench","name":"load"},"inputs":[],"outputs":[],"producer":"https://example.com/bench",'
    '"schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"}'
)
_RESET = f"truncate {', '.join(f'runfold.{table}' for table in TABLES if table != 'catalog_cursor')}"
_START = "update runfold.catalog_cursor set position = 0"
_SIZES = """
select pg_total_relation_size('runfold.run_summaries')::float as summaries,
       (pg_total_relation_size('runfold.events')
        + (select sum(pg_total_relation_size(inhrelid)) from pg_inherits
            where inhparent = 'runfold.payloads'::regclass))::float as ledger
"""


def _event(run: UUID, number: int, count: int) -> str:
    kind = {0: "START", count - 1: "COMPLETE"}.get(number, "RUNNING")
    return _EVENT % ((_BEGAN + timedelta(seconds=number)).isoformat(), kind, run, number)


async def _report(http: aiohttp.ClientSession, events: Sequence[str]) -> None:
    for start in range(0, len(events), BATCH):
        data = "\n".join(events[start : start + BATCH])
        headers = {"Content-Type": "application/x-ndjson"}
        async with http.post(f"{API}/lineage/batch", data=data, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()


async def _summarized(connection: Any) -> None:  # noqa: ANN401  asyncpg has no types
    for _ in range(600):
        if not await connection.fetchval("select count(*) from runfold.runs where since >= 128"):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the runs were not summarized within a minute")


async def _ask(http: aiohttp.ClientSession, run: UUID, length: int, positions: Sequence[int], times: int) -> list[str]:
    """Return the medians of the questions about a run, as cells of a table."""
    half = (_BEGAN + timedelta(seconds=length // 2)).isoformat()
    middle = cursors.encode_position(cursors.PositionCursor(LOG, positions[length // 2]))
    async with http.get(f"{API}/events", params={"run": str(run), "cursor": middle, "limit": "1"}) as answer:
        recorded = (await answer.json())["events"][0]["recordedAt"]
    path = f"{API}/jobs/runs/{run}"
    cells = []
    for address, params in (
        (f"{path}/events", {"limit": "1"}),
        (f"{path}/events", {"limit": "1", "cursor": middle}),
        (f"{path}/events", {"limit": "100", "cursor": middle}),
        (path, {"knownAt": recorded}),
        (path, {"validAt": half}),
        (path, {"validAt": half, "knownAt": recorded}),
    ):
        taken = [await _elapsed(http.get(address, params=params)) for _ in range(5 + times)]
        cells.append(f"{statistics.median(taken[5:]):,.1f}")
    pausing = asyncio.create_task(_longest_pause(http))
    await asyncio.sleep(0)
    await _elapsed(http.get(path, params={"validAt": half}))
    await _elapsed(http.get(f"{path}/events"))
    pausing.cancel()
    (pause,) = await asyncio.gather(pausing)
    return [*cells, f"{pause:,.1f}"]


async def _longest_pause(http: aiohttp.ClientSession) -> float:
    longest = 0.0
    try:
        while True:
            longest = max(longest, await _elapsed(http.get("/livez")))
    except asyncio.CancelledError:
        return longest


async def _elapsed(request: Any) -> float:  # noqa: ANN401  a context manager that aiohttp does not name
    began = time.perf_counter()
    async with request as answer:
        await answer.read()
        answer.raise_for_status()
    return (time.perf_counter() - began) * 1000


async def _measure_work(dsn: str, name: str) -> str:
    """Project and summarize all of a database anew; return the rates as a row of a table."""
    async with Connections(dsn, 2) as connections:
        async with connections.connection() as connection:
            await connection.execute(_RESET)
            await connection.execute(_START)
        events, began = 0, time.perf_counter()
        while (page := await project_next_page(CatalogProjection(connections))).events:
            events += page.events
        projected = time.perf_counter()
        while await summarize_next(connections):
            pass
        summarized = time.perf_counter()
        async with connections.connection() as connection:
            sizes = await connection.fetchrow(_SIZES)
    rates = f"{events / (projected - began):,.0f} | {events / (summarized - projected):,.0f}"
    return f"| {name} | {events:,} | {rates} | {sizes['summaries'] / events:.0f} | {sizes['ledger'] / events:.0f} |"


async def _serve(held: AsyncExitStack, dsn: str, name: str, directory: Path) -> aiohttp.ClientSession:
    service = await Program.start(name, [*runfold(), "serve", "--port", "0", "--database-url", dsn], directory)
    held.push_async_callback(service.stop)
    http = await held.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{service.port}"))
    await ready(http, service)
    return http


async def _run(dsn: str, directory: Path, times: int) -> None:
    server = await asyncpg.connect(dsn)
    dsns = {name: dsn.replace("/runfold?", f"/{name}?") for name in ("questions", "one", "many")}
    for name, each in dsns.items():
        await server.execute(f"create database {name}")
        await asyncio.to_thread(migrations.upgrade, each)
    async with AsyncExitStack() as held:
        http = await _serve(held, dsns["questions"], "questions", directory)
        connection = await asyncpg.connect(dsns["questions"])
        held.push_async_callback(connection.close)
        runs = {f"{length:,}": (new_id(), length) for length in LENGTHS}
        runs["40,000 in no order"] = (new_id(), 40_000)
        for name, (run, length) in runs.items():
            events = [_event(run, number, length) for number in range(length)]
            if "no order" in name:
                random.Random(1).shuffle(events)
            await _report(http, events)
        await Database(connection).caught_up()
        await _summarized(connection)
        await connection.execute("vacuum (analyze)")
        print(
            "| events | first page of 1, ms | 1 in the middle | 100 there | knownAt | validAt | both | longest pause |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for name, (run, length) in runs.items():
            rows = await connection.fetch("select position from runfold.events where stream = $1 order by 1", run)
            cells = await _ask(http, run, length, [row["position"] for row in rows], times)
            print(f"| {name} | {' | '.join(cells)} |")
    rows = []
    for name, count, length in (("one", 1, 40_000), ("many", RUNS, EVENTS_OF_RUN)):
        async with AsyncExitStack() as held:
            http = await _serve(held, dsns[name], name, directory)
            ids = [new_id() for _ in range(count)]
            await _report(http, [_event(run, number, length) for number in range(length) for run in ids])
        rows.append(await _measure_work(dsns[name], f"{count:,} of {length:,} events"))
    print("\n| runs | events | projected/s | summarized/s | bytes an event of summaries | of the ledger |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))
    await server.close()


def main() -> None:
    """Parse the command line, measure, and print the tables."""
    ask_repeatedly(__doc__, TIMES, _SETTINGS, _run)


if __name__ == "__main__":
    main()
