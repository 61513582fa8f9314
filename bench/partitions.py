"""Measures what the partitions of payloads cost at a billion positions: `bench/partitions.py [--times N]`.

A ledger of 10⁹ events is simulated: its head is moved to shortly before 10⁹, the partitions are made that it would
have, and 20,000 events follow, reported to the service. The partitions of earlier positions are empty, but PostgreSQL
plans for them, opens them and keeps what it knows of them in the memory of each backend, as for full ones. Three
databases take turns: `young` has the two partitions of a new ledger, `fixed` partitions of 1,000,000 positions each,
`growing` those that appends make. Each is served by the real program; medians are of requests one after another.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
import asyncpg

from bench.database import Database, new_id
from bench.programs import Program, runfold
from bench.stage import ready
from bench.tasks import ask_repeatedly
from service.audit.bitmaps import CHUNK
from service.database import migrations
from service.maintenance.erase import erase_payloads

if TYPE_CHECKING:
    from collections.abc import Sequence

API = "/api/v1"
END = 1_000_000_000
SIZE = 1_000_000
RUNS, EVENTS_OF_RUN = 2_000, 10
TIMES = 30
ERASED = 5

# fsync is off: the time of a commit would hide the differences. The locks are those of dropping 1,000 tables.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "max_connections": "200"}

_FIXED = """
create table runfold.payloads_{n} partition of runfold.payloads for values from ({first}) to ({beyond})
"""
_GROWING = "select runfold.ensure_payload_partition($1)"
_PARTITIONS = "select count(*) from pg_inherits where inhparent = 'runfold.payloads'::regclass"
# The last chunk of events before the head is marked as posted, or the service would begin with the first one.
_MOVE = """
with moved as (update runfold.ledger_head set position = $1, recorded_at = now() where log = 0),
     projected as (update runfold.catalog_cursor set position = $1 where log = 0)
insert into runfold.event_postings (log, facet, hash, chunk, total, offsets) values (0, 0, 0, $1 / $2 - 1, $2, '')
"""
_BACKENDS = """
select pid from pg_stat_activity
 where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""
_EVENT = (
    '{"eventTime":"%s","eventType":"RUNNING","run":{"runId":"%s","facets":{"rows":{"read":%d}}},"job":{"namespace":'
    '"bench","name":"load"},"inputs":[],"outputs":[],"producer":"https://example.com/bench",'
    '"schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"}'
)


@dataclass
class Layout:
    """A database with its figures: milliseconds by question, and others by name."""

    name: str
    dsn: str
    runs: list[UUID] = field(default_factory=list)
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, question: str, milliseconds: float) -> None:
        """Note a measurement."""
        self.milliseconds.setdefault(question, []).append(milliseconds)


async def _partition(connection: Any, layout: str) -> None:  # noqa: ANN401  asyncpg has no types
    """Make the partitions of a ledger of 10⁹ positions, and move its head there."""
    if layout == "young":
        await connection.execute("drop table runfold.payloads_1")
        await connection.execute(_FIXED.format(n=1, first=SIZE + 1, beyond=END + 2 * SIZE + 1))
    for n in range(2, END // SIZE + 2):
        if layout == "fixed":
            await connection.execute(_FIXED.format(n=n, first=n * SIZE + 1, beyond=(n + 1) * SIZE + 1))
        elif layout == "growing":
            await connection.execute(_GROWING, n)
    await connection.execute(_MOVE, (END - 2 * RUNS * EVENTS_OF_RUN) // CHUNK * CHUNK, CHUNK)


async def _fill(http: aiohttp.ClientSession, layout: Layout) -> None:
    layout.runs = [new_id() for _ in range(RUNS)]
    began = datetime.now(UTC) - timedelta(hours=1)
    for number in range(EVENTS_OF_RUN):
        at = (began + timedelta(minutes=number)).isoformat()
        lines = "\n".join(_EVENT % (at, run, number) for run in layout.runs)
        headers = {"Content-Type": "application/x-ndjson"}
        async with http.post(f"{API}/lineage/batch", data=lines, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()


async def _measure(stages: Sequence[tuple[Layout, aiohttp.ClientSession]], times: int) -> None:
    """Ask each question of each layout in turns; the first five times are not measured: plans become generic."""
    future = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    def questions(run: UUID) -> dict[str, tuple[str, dict[str, str]]]:
        return {
            "history of a run of 10": (f"{API}/jobs/runs/{run}/events", {}),
            "knownAt": (f"{API}/jobs/runs/{run}", {"knownAt": future}),
            "100 events": (f"{API}/events", {"limit": "100"}),
            "20 lineage events": (f"{API}/events/lineage", {"limit": "20"}),
        }

    for number in range(-5, times):
        for layout, http in stages if number % 2 else stages[::-1]:
            run = layout.runs[number]
            for name, (path, params) in questions(run).items():
                elapsed = await _elapsed(http.get(path, params=params))
                if number >= 0:
                    layout.add(f"{name}, ms", elapsed)
            event = _EVENT % (datetime.now(UTC).isoformat(), new_id(), number)
            elapsed = await _elapsed(http.post(f"{API}/lineage", data=event, headers=_JSON))
            if number >= 0:
                layout.add("recording an event, ms", elapsed)


_JSON = {"Content-Type": "application/json"}


async def _elapsed(request: Any) -> float:  # noqa: ANN401  a context manager that aiohttp does not name
    began = time.perf_counter()
    async with request as answer:
        await answer.read()
        answer.raise_for_status()
    return (time.perf_counter() - began) * 1000


async def _measure_rest(layout: Layout, http: aiohttp.ClientSession, connection: Any) -> None:  # noqa: ANN401
    milliseconds = await _elapsed(http.get(f"{API}/events", headers={"Accept": "application/x-ndjson"}))
    layout.figures["export, events/s"] = RUNS * EVENTS_OF_RUN / milliseconds * 1000
    for number in range(ERASED):
        began = time.perf_counter()
        await erase_payloads(layout.dsn, layout.runs[number], "bench")
        layout.add("erasing a run of 10, ms", (time.perf_counter() - began) * 1000)
    memory = [_anonymous(row["pid"]) for row in await connection.fetch(_BACKENDS)]
    layout.figures["largest backend, MiB"] = max(memory) / 2**20
    layout.figures["all backends, MiB"] = sum(memory) / 2**20


def _anonymous(pid: int) -> int:
    """Return the bytes of memory that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("Anonymous:"))
    return int(kilobytes) * 1024


def table(layouts: Sequence[Layout]) -> str:
    """Return the figures in Markdown, a column for each layout."""
    lines = [f"| | {' | '.join(layout.name for layout in layouts)} |", "|---|" + "---|" * len(layouts)]
    for layout in layouts:
        layout.figures |= {name: statistics.median(taken) for name, taken in layout.milliseconds.items()}
    for name in layouts[0].figures:
        values = (layout.figures[name] for layout in layouts)
        lines.append(f"| {name} | {' | '.join(f'{value:,.1f}'.removesuffix('.0') for value in values)} |")
    return "\n".join(lines)


async def _run(dsn: str, directory: Path, times: int) -> None:
    server = await asyncpg.connect(dsn)
    await server.execute("create database bench_template")
    await asyncio.to_thread(migrations.upgrade, dsn.replace("/runfold?", "/bench_template?"))
    async with AsyncExitStack() as held:
        layouts, stages, connections = [], [], []
        for name in ("young", "fixed", "growing"):
            await server.execute(f"create database {name} template bench_template")
            layout = Layout(name, dsn.replace("/runfold?", f"/{name}?"))
            connection = await asyncpg.connect(layout.dsn)
            held.push_async_callback(connection.close)
            await _partition(connection, name)
            layout.figures["partitions"] = await connection.fetchval(_PARTITIONS)
            command = [*runfold(), "serve", "--port", "0", "--database-url", layout.dsn]
            service = await Program.start(name, command, directory)
            held.push_async_callback(service.stop)
            url = f"http://127.0.0.1:{service.port}"
            http = await held.enter_async_context(aiohttp.ClientSession(url))
            await ready(http, service)
            await _fill(http, layout)
            await Database(connection).caught_up()
            await connection.execute("vacuum (analyze)")
            layouts.append(layout)
            stages.append((layout, http))
            connections.append(connection)
        await _measure(stages, times)
        for (layout, http), connection in zip(stages, connections, strict=True):
            await _measure_rest(layout, http, connection)
        print(table(layouts))
    await server.close()


def main() -> None:
    """Parse the command line, measure, and print the table."""
    ask_repeatedly(__doc__, TIMES, _SETTINGS, _run)


if __name__ == "__main__":
    main()
