"""Runs what a benchmark needs: the service with its PostgreSQL, and the programs it is compared with."""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp

from bench.database import Database
from bench.programs import DidNotStartError, Program, Usage, runfold, serve
from bench.wrk import Load, Result, Wrk
from service.embedded.postgres import attach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence

    from bench.options import Options

HERE = Path(__file__).parent
NAMESPACE = "/api/v1/namespaces/bench"
JOB = f"{NAMESPACE}/jobs/load"
RUNS = f"{JOB}/runs"
RUN = "/api/v1/jobs/runs/{}"
RUN_BODY = '{"args":{"email":"me@example.com","retries":"1"}}'
NAMESPACE_BODY = {"ownerName": "bench"}
JOB_BODY = {"type": "BATCH", "inputs": [], "outputs": []}
READY_S = 60.0


@dataclass(frozen=True)
class Sample:
    """One measurement of one competitor."""

    round: int
    operation: str
    competitor: str
    connections: int
    result: Result
    cpu_us: float
    """CPU microseconds per request of the program itself."""
    cpu_postgres_us: float
    """CPU microseconds per request of PostgreSQL."""


@dataclass(frozen=True)
class Stage:
    """The running programs and connections to them."""

    options: Options
    directory: Path
    wrk: Wrk
    service: Program
    bare: Program
    database: Database
    dsn: str
    http: aiohttp.ClientSession

    @asynccontextmanager
    async def transaction_app(self) -> AsyncIterator[Program]:
        """Run the transaction-per-request variant on the service's PostgreSQL."""
        command: list[str | Path] = [
            sys.executable,
            HERE / "transaction_per_request.py",
            "--database-url",
            self.dsn,
        ]
        program = await Program.start("transaction", command, self.directory)
        try:
            yield program
        finally:
            await program.stop()

    async def disk_ms(self) -> float:
        """Return the milliseconds it takes now to make a page durable: the median of twenty."""
        return await asyncio.to_thread(disk_ms, self.directory / "page")

    def load(self, connections: int, seconds: float | None = None) -> Load:
        """Return a load; without `seconds`, of the length in the options."""
        return Load(connections, seconds or self.options.seconds)

    async def create(self) -> UUID:
        """Create a run through the API."""
        async with self.http.post(RUNS, data=RUN_BODY, headers={"Content-Type": "application/json"}) as answer:
            answer.raise_for_status()
            return UUID((await answer.json())["id"])

    async def post(self, path: str) -> float:
        """Send a POST without a body; return the milliseconds until the answer."""
        began = time.perf_counter()
        async with self.http.post(path) as answer:
            await answer.read()
            answer.raise_for_status()
        return (time.perf_counter() - began) * 1000

    async def caught_up(self) -> None:
        """Wait until everything is projected, so that a measurement does not pay for the previous one."""
        async with self.http.get(RUNS, params={"limit": "1"}) as answer:
            await answer.read()
        await self.database.caught_up()
        await self.database.lineage_caught_up()

    async def settle(self) -> None:
        """Wait until everything is projected and written to the disk, and no vacuum runs."""
        await self.caught_up()
        await self.database.settle()

    async def watch(self, program: Program, measuring: Awaitable[Result]) -> tuple[Result, Usage, Usage]:
        """Await a measurement; return its result with the usage of the program and PostgreSQL before and after."""
        before = self._usage(program)
        result = await measuring
        return result, before, self._usage(program)

    def _usage(self, program: Program) -> Usage:
        postgres = self.service.usage()
        return replace(program.usage(), cpu_postgres_s=postgres.cpu_postgres_s, rss_postgres=postgres.rss_postgres)


def sample_of(label: tuple[int, str, str, int], measured: tuple[Result, Usage, Usage]) -> Sample:
    """Return the sample for (round, operation, competitor, connections) and what `watch` returned."""
    result, before, after = measured
    requests = max(result.requests, 1)
    return Sample(
        *label,
        result,
        (after.cpu_s - before.cpu_s) / requests * 1e6,
        (after.cpu_postgres_s - before.cpu_postgres_s) / requests * 1e6,
    )


@asynccontextmanager
async def open_stage(options: Options, program: Sequence[str | Path] = ()) -> AsyncIterator[Stage]:
    """Start everything in a temporary directory; end it after the block. `program`: a command in place of `runfold`."""
    async with AsyncExitStack() as held:
        # A short prefix: the path of a Unix socket is limited to about 100 characters.
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="rfb-", ignore_cleanup_errors=True)))
        data_dir = directory / "data"
        service = await Program.start("service", [*(program or runfold()), *serve(data_dir)], directory)
        held.push_async_callback(service.stop)
        http = await held.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{service.port}"))
        await ready(http, service)
        dsn = await asyncio.to_thread(attach, data_dir)
        if dsn is None:
            raise DidNotStartError("the embedded PostgreSQL is not running")
        database = await Database.connect(dsn)
        held.push_async_callback(database.close)
        bare = await Program.start("bare", [sys.executable, HERE / "bare.py"], directory)
        held.push_async_callback(bare.stop)
        await _define(http)
        yield Stage(options, directory, Wrk(directory), service, bare, database, dsn, http)


def disk_ms(file: Path) -> float:
    """Return the milliseconds it takes now to make a page of a file durable: the median of twenty."""
    times = []
    with file.open("wb", buffering=0) as page:
        for _ in range(20):
            page.write(bytes(8192))
            began = time.perf_counter()
            os.fdatasync(page.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def ready(http: aiohttp.ClientSession, service: Program) -> None:
    """Wait until /readyz of a service is 200."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise DidNotStartError(f"the service is not ready after {READY_S:.0f} s:\n{service.log.read_text()[-3000:]}")


async def _define(http: aiohttp.ClientSession) -> None:
    for path, body in ((NAMESPACE, NAMESPACE_BODY), (JOB, JOB_BODY)):
        async with http.put(path, json=body) as answer:
            answer.raise_for_status()


async def conditions(stage: Stage) -> dict[str, Any]:
    """Return the conditions that the figures depend on."""
    machine = await machine_of(stage.database, stage.directory)
    return {**machine, "rounds": stage.options.rounds, "seconds": stage.options.seconds}


async def machine_of(database: Database, directory: Path) -> dict[str, Any]:
    """Return the properties of the machine and of PostgreSQL."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "load_before": os.getloadavg()[0],
        "fdatasync_ms_before": await asyncio.to_thread(disk_ms, directory / "page"),
        "python": platform.python_version(),
        **await database.conditions(),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()
