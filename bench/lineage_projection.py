"""Measures how fast datasets and lineage are projected: `bench/lineage_projection.py [--profile]`.

Events with one input and one output, and events of 15 KB with ten of each; each dataset has a schema of ten columns,
and schemas do not change. Half of the events are STARTs, the other half end the run. The ledger is filled first.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import pstats
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop

from service.catalog.ledger_projection import project_next_page
from service.catalog.projector import Projector
from service.database import migrations
from service.database.connections import Connections
from service.domain import timestamps
from service.embedded.postgres import EmbeddedPostgres
from service.ledger.events import append_events
from service.lineage.pages import LineageProjection
from service.os_process import configure_gc
from service.payloads.openlineage import Origin, read_lineage_event

JOBS, NOON = 500, datetime(2024, 1, 1, 12, tzinfo=UTC)
SHAPES = {"1 + 1 datasets": (1, 40_000, 3_000), "10 + 10 datasets": (10, 4_000, 400)}
"""Inputs and outputs each, events, and events per second that are to be reached."""

_COLUMNS = [{"name": f"column_{n}", "type": "varchar", "description": f"the column {n}"} for n in range(10)]
_SETTINGS = {"fsync": "off", "synchronous_commit": "off"}


def body(number: int, width: int) -> bytes:
    """Return an event of a run; two in a row are of the same run."""
    run, job = divmod(number, 2)[0], (number // 2) % JOBS
    schema = {
        "_producer": "https://example.com/producer",
        "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json",
        "fields": _COLUMNS,
    }

    def datasets(direction: str) -> list[dict[str, object]]:
        return [
            {"namespace": "postgres://db:5432", "name": f"shop.{direction}_{job}_{n}", "facets": {"schema": schema}}
            for n in range(width)
        ]

    return json.dumps(
        {
            "eventType": "COMPLETE" if number % 2 else "START",
            "eventTime": (NOON + timedelta(seconds=number)).isoformat(),
            "run": {"runId": str(UUID(int=(1 << 100) + run))},
            "job": {"namespace": "etl", "name": f"job_{job}"},
            "inputs": datasets("in"),
            "outputs": datasets("out"),
            "producer": "https://example.com/producer",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        },
        separators=(",", ":"),
    ).encode()


async def fill(connections: Connections, width: int, count: int) -> int:
    """Record the events; return their bytes on average."""
    origin, now, size = Origin("openlineage"), timestamps.now(), 0
    for start in range(0, count, 500):
        bodies = [body(number, width) for number in range(start, min(count, start + 500))]
        size += sum(map(len, bodies))
        drafts = [read_lineage_event(each, origin, now) for each in bodies]
        await append_events(connections, drafts, [None] * len(drafts))
    return size // count


async def project(connections: Connections) -> None:
    """Project all events, as the projector does."""
    head = 1
    async with connections.connection() as connection:
        head = await connection.fetchval("select max(position) from runfold.events")
    done = asyncio.Event()
    projector = Projector(LineageProjection(connections))
    projector.start(lambda position: done.set() if position >= head else None)
    projector.prioritize(head)
    await done.wait()
    await projector.close()


async def measure(dsn: str, name: str, *, profile: bool) -> None:
    """Fill a database, and print how fast it is projected."""
    width, count, wanted = SHAPES[name]
    async with Connections(dsn, 2) as connections:
        size = await fill(connections, width, count)
        profiler = cProfile.Profile()
        began, cpu = time.perf_counter(), time.process_time()
        if profile:
            profiler.enable()
        await project(connections)
        if profile:
            profiler.disable()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        again = (await project_next_page(LineageProjection(connections))).events
        assert not again  # noqa: S101
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{name}: {count / seconds:,.0f} events/s (to reach: {wanted:,}), {size:,} bytes each,"
        f" {cpu / count * 1e6:.0f} µs of Python each, {memory} MiB at most"
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def main() -> None:
    """Measure both kinds of events, each in a database of its own."""
    configure_gc()
    for name in SHAPES:
        with (
            tempfile.TemporaryDirectory(prefix="runfold-bench-") as directory,
            EmbeddedPostgres(Path(directory) / "data", settings=_SETTINGS) as server,
        ):
            migrations.upgrade(server.dsn)
            uvloop.run(measure(server.dsn, name, profile="--profile" in sys.argv))


if __name__ == "__main__":
    main()
