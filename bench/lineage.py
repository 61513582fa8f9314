"""Measures graphs of lineage: `bench/lineage.py [--times N]`, about 4 minutes and 3 GB of disk.

2,000 jobs and 2,051 datasets of five columns are reported to the service: a chain of 1,000 jobs, and 20 layers of 50
jobs, of which each reads three datasets of the layer before and writes one; then 50,000 jobs that read one dataset.
Every job of the chain and of the layers gets 500 more runs by SQL, 1,000,000 altogether. Medians are of requests one
after another; `longest pause` is the longest time in which the service did not answer `/livez` while it was asked.
"""

from __future__ import annotations

import asyncio
import json
import os
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

from bench.database import new_id
from bench.programs import Program, runfold
from bench.stage import ready
from bench.tasks import ask_repeatedly

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "/api/v1"
TIMES = 20
CHAIN, LAYERS, WIDTH, INPUTS = 1_000, 20, 50, 3
RUNS_OF_JOB, READERS = 500, 50_000
COLUMNS = ("id", "name", "amount", "currency", "created_at")
BATCH = 1_000
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SETTINGS = {"fsync": "off", "synchronous_commit": "off"}
_SCHEMA = {"fields": [{"name": name, "type": "text"} for name in COLUMNS]}

_RUNS = """
insert into runfold.runs (id, position, job_id, namespace, job, state, created_at, started_at, ended_at, registers)
select gen_random_uuid(), r.position, r.job_id, r.namespace, r.job, r.state, r.created_at - n * interval '1 hour',
       r.started_at, r.ended_at, r.registers
  from runfold.runs r cross join generate_series(1, $1) n where r.job not like 'hub.%'
"""
_RUN_DATASETS = """
insert into runfold.run_datasets (run_id, job_id, started_at, position, first_position, job_version, is_run, registers)
select gen_random_uuid(), r.job_id, r.started_at - n * interval '1 hour', r.position, r.first_position, r.job_version,
       r.is_run, r.registers
  from runfold.run_datasets r
  join runfold.jobs j on j.id = r.job_id and j.name not like 'hub.%'
 cross join generate_series(1, $1) n
"""


def _dataset(name: str, inputs: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a dataset of an event; of an output, each column is made of that of its inputs."""
    facets: dict[str, Any] = {"schema": _SCHEMA}
    if inputs:
        sources = {
            column: {"inputFields": [{"namespace": "bench", "name": each, "field": column} for each in inputs]}
            for column in COLUMNS
        }
        facets["columnLineage"] = {"fields": sources}
    return {"namespace": "bench", "name": name, "facets": facets}


def _event(number: int, job: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> str:
    event = {
        "eventTime": (_BEGAN + timedelta(minutes=number)).isoformat(),
        "eventType": "COMPLETE",
        "run": {"runId": str(new_id())},
        "job": {"namespace": "bench", "name": job},
        "inputs": [_dataset(name) for name in inputs],
        "outputs": [_dataset(name, inputs) for name in outputs],
        "producer": "https://example.com/bench",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    return json.dumps(event)


def graph() -> Iterator[str]:
    """Yield the events of the chain, of the layers, and of the readers of one dataset."""
    jobs: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
        (f"chain.j{n}", (f"chain.t{n - 1}",), (f"chain.t{n}",)) for n in range(1, CHAIN + 1)
    ]
    for layer in range(1, LAYERS + 1):
        for place in range(WIDTH):
            read = sorted({f"layer.t{layer - 1}.{(place * 7 + step * 13 + layer) % WIDTH}" for step in range(INPUTS)})
            jobs.append((f"layer.j{layer}.{place}", tuple(read), (f"layer.t{layer}.{place}",)))
    jobs += [(f"hub.reader{number}", ("hub.t",), ()) for number in range(READERS)]
    for number, (job, inputs, outputs) in enumerate(jobs):
        yield _event(number, job, inputs, outputs)


QUESTIONS = (
    ("the layers, whole", "lineage", f"job:bench:layer.j{LAYERS // 2}.3", {"depth": LAYERS}),
    ("the layers, depth 2", "lineage", f"job:bench:layer.j{LAYERS // 2}.3", {"depth": 2}),
    ("the chain from its end, depth 1,000", "lineage", f"job:bench:chain.j{CHAIN}", {"depth": CHAIN}),
    ("the middle of the chain, depth 20", "lineage", f"job:bench:chain.j{CHAIN // 2}", {"depth": 20}),
    ("the middle of the chain, depth 2", "lineage", f"job:bench:chain.j{CHAIN // 2}", {"depth": 2}),
    (
        "likewise, as it stood at a time",
        "lineage",
        f"job:bench:chain.j{CHAIN // 2}",
        {"depth": 2, "validAt": "2026-01-02T00:00:00Z"},
    ),
    ("a dataset with 50,000 readers, cut at 5,000 nodes", "lineage", "dataset:bench:hub.t", {"depth": 2}),
    (
        "columns, the middle of the chain, depth 20",
        "column-lineage",
        f"dataset:bench:chain.t{CHAIN // 2}",
        {"withDownstream": "true"},
    ),
)


async def _report(http: aiohttp.ClientSession) -> None:
    events = list(graph())
    for start in range(0, len(events), BATCH):
        data = "\n".join(events[start : start + BATCH])
        async with http.post(
            f"{API}/lineage/batch", data=data, headers={"Content-Type": "application/x-ndjson"}
        ) as answer:
            assert answer.status == 204, await answer.text()  # noqa: S101


async def _ask(http: aiohttp.ClientSession, path: str, parameters: dict[str, Any]) -> tuple[float, int, int]:
    """Return the milliseconds that an answer took, its nodes, and its bytes."""
    began = time.perf_counter()
    async with http.get(f"{API}/{path}", params=parameters) as answer:
        body = await answer.read()
        answer.raise_for_status()
    return (time.perf_counter() - began) * 1000, body.count(b'"outEdges":'), len(body)


async def _longest_pause(http: aiohttp.ClientSession) -> float:
    longest = 0.0
    try:
        while True:
            began = time.perf_counter()
            async with http.get("/livez") as answer:
                await answer.read()
            longest = max(longest, (time.perf_counter() - began) * 1000)
    except asyncio.CancelledError:
        return longest


async def _measure(http: aiohttp.ClientSession, times: int) -> None:
    print("| question | nodes | KB | p50 ms | p90 ms | longest pause ms |")
    print("|---|---|---|---|---|---|")
    for name, path, node, parameters in QUESTIONS:
        query = {"nodeId": node, **{key: str(value) for key, value in parameters.items()}}
        taken = [await _ask(http, path, query) for _ in range(5 + times)][5:]
        pausing = asyncio.create_task(_longest_pause(http))
        await asyncio.sleep(0)
        await _ask(http, path, query)
        pausing.cancel()
        (pause,) = await asyncio.gather(pausing)
        seconds = sorted(each[0] for each in taken)
        p50, p90 = statistics.median(seconds), seconds[int(0.9 * (len(seconds) - 1))]
        print(f"| {name} | {taken[0][1]:,} | {taken[0][2] // 1000:,} | {p50:,.1f} | {p90:,.1f} | {pause:,.1f} |")


async def _is_behind(http: aiohttp.ClientSession) -> bool:
    """Whether the projections do not have all events yet, so that a request for the graph is not answered in time."""
    async with http.get(
        f"{API}/lineage", params={"nodeId": f"job:bench:hub.reader{READERS - 1}", "limit": "1"}
    ) as answer:
        return answer.status != 200


async def _run(dsn: str, directory: Path, times: int) -> None:
    async with AsyncExitStack() as held:
        service = await Program.start("lineage", [*runfold(), "serve", "--port", "0", "--database-url", dsn], directory)
        held.push_async_callback(service.stop)
        http = await held.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{service.port}"))
        await ready(http, service)
        await _report(http)
        async with asyncio.timeout(120):
            while await _is_behind(http):  # noqa: ASYNC110  the service sends no event to wait for
                await asyncio.sleep(0.2)
        connection = await asyncpg.connect(dsn)
        held.push_async_callback(connection.close)
        for statement in (_RUNS, _RUN_DATASETS):
            await connection.execute(statement, RUNS_OF_JOB, timeout=900)
        for statement in ("vacuum (analyze)", "checkpoint"):
            await connection.execute(statement, timeout=900)
        await asyncio.to_thread(os.sync)  # else the runs are written to the disk while the questions are asked
        runs = await connection.fetchval("select count(*) from runfold.runs")
        print(f"{runs:,} runs\n")
        await _measure(http, times)


def main() -> None:
    """Parse the command line, measure, and print the table."""
    ask_repeatedly(__doc__, TIMES, _SETTINGS, _run)


if __name__ == "__main__":
    main()
