"""What bench/interface.py lets happen beside the page: transitions at a rate, open overviews, starts."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp

from bench.database import new_id
from bench.stage import RUNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

API = "/api/v1"
STARTING = 8
_TICK_S = 0.1


async def transitions(http: aiohttp.ClientSession, rate: int, seconds: float) -> None:
    """Report starts and ends of runs, `rate` of them a second, in requests of their own."""
    under_way: list[str] = []
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < rate * passed:
            if sent % 2:
                event = _event("COMPLETE", under_way.pop(0))
            else:
                under_way.append(str(new_id()))
                event = _event("START", under_way[-1])
            async with http.post(f"{API}/lineage", json=event) as answer:
                answer.raise_for_status()
            sent += 1
        await asyncio.sleep(_TICK_S)


def _event(kind: str, run: str) -> dict[str, object]:
    return {
        "eventType": kind,
        "eventTime": datetime.now(UTC).isoformat(),
        "run": {"runId": run},
        "job": {"namespace": "bench", "name": f"job_{int(run[-2:], 16) % 40}"},
        "producer": "https://example.com",
    }


async def starts(http: aiohttp.ClientSession, seconds: float) -> float:
    """Create and start runs over STARTING connections, and return how many were started a second."""
    end, count = time.monotonic() + seconds, 0

    async def one_after_another() -> None:
        nonlocal count
        while time.monotonic() < end:
            async with http.post(RUNS, json={}) as answer:
                run = (await answer.json())["id"]
            async with http.post(f"{API}/jobs/runs/{run}/start") as answer:
                answer.raise_for_status()
            count += 1

    await asyncio.gather(*(one_after_another() for _ in range(STARTING)))
    return count / seconds


class Reading(NamedTuple):
    """What an open overview reads, and every how many seconds at most while events are recorded."""

    path: str
    interval_s: float


def _readings() -> list[Reading]:
    """Return what an overview reads on a busy ledger: ui/src/pages/overview.tsx, components/timeline.tsx, shell.tsx."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    ago = {hours: (minute - timedelta(hours=hours)).isoformat().replace("+00:00", "Z") for hours in (1, 24, 168)}
    return [
        Reading(f"{API}/runs?state=RUNNING&sort=start&order=asc&limit=100", 15),
        Reading(f"{API}/runs?state=FAILED&state=ABORTED&endedAfter={ago[24]}&sort=end&limit=100", 15),
        Reading(f"{API}/runs?state=RUNNING&updatedBefore={ago[1]}&sort=update&order=asc&limit=100", 60),
        Reading(f"{API}/runs?contradicted=true&endedAfter={ago[168]}&sort=end&limit=100", 60),
        Reading(f"{API}/runs?state=RUNNING&sort=start&limit=250", 30),
        Reading("/readyz", 15),
    ]


async def _overview(http: aiohttp.ClientSession, opened: asyncio.Semaphore) -> None:
    """Do what an open overview does: follow the ledger in brief, and read its lists anew."""
    async with asyncio.TaskGroup() as tasks:
        for number, reading in enumerate(_readings()):
            tasks.create_task(_read_again(http, number, reading.interval_s))
        async with http.get(f"{API}/events/stream?brief=true") as stream:
            opened.release()
            async for _ in stream.content.iter_any():
                pass


async def _read_again(http: aiohttp.ClientSession, number: int, interval_s: float) -> None:
    await asyncio.sleep(random.random() * interval_s)  # pages are opened at any time
    while True:
        async with http.get(_readings()[number].path, headers={"Cache-Control": "max-age=3"}) as answer:
            answer.raise_for_status()
            await answer.read()
        await asyncio.sleep(interval_s)


@asynccontextmanager
async def open_overviews(url: str, count: int) -> AsyncIterator[None]:
    """Keep overviews open, as clients in another process: a browser with as many pages would need the machine."""
    if not count:
        yield
        return
    program = [sys.executable, str(Path(__file__)), url, str(count)]
    pages = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        assert pages.stdout is not None  # noqa: S101  it is a pipe
        await pages.stdout.readline()  # all streams are open
        yield
    finally:
        pages.terminate()
        await pages.wait()


async def _keep_open(url: str, count: int) -> None:
    opened = asyncio.Semaphore(0)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as http, asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(_overview(http, opened))
        for _ in range(count):
            await opened.acquire()
        print("open", flush=True)


if __name__ == "__main__":
    asyncio.run(_keep_open(sys.argv[1], int(sys.argv[2])))
