"""What bench/interface.py lets happen beside the page: transitions at a rate, open overviews, starts."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

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


def _queries() -> list[str]:
    """Return what an overview reads each time, as ui/src/pages/overview.tsx does."""
    now = datetime.now(UTC)
    ago = {hours: (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (1, 24, 168)}
    return [
        "/runs?state=RUNNING&sort=start&order=asc&limit=100",
        f"/runs?state=FAILED&state=ABORTED&endedAfter={ago[24]}&sort=end&limit=100",
        f"/runs?state=RUNNING&updatedBefore={ago[1]}&sort=update&order=asc&limit=100",
        f"/runs?contradicted=true&endedAfter={ago[168]}&sort=end&limit=100",
    ]


async def _overview(http: aiohttp.ClientSession, reload_s: float, lookup_s: float) -> None:
    """Do what an open overview does: follow the ledger, read its lists anew, look up runs that have changed."""
    changed: set[str] = set()
    async with http.get(f"{API}/events/stream?cursor=now") as stream:
        read, looked = time.monotonic(), time.monotonic()
        async for line in stream.content:
            if line.startswith(b"data: ") and (at := line.find(b'"id":"')) > 0:
                changed.add(line[at + 6 : at + 42].decode())
            now = time.monotonic()
            if changed and now - looked > lookup_s:
                ids, looked = [*changed][:300], now
                changed.clear()
                async with http.post(f"{API}/runs/lookup", json={"ids": ids}) as answer:
                    await answer.read()
            if changed and now - read > reload_s:
                read = now
                for query in _queries():
                    async with http.get(API + query) as answer:
                        await answer.read()


@asynccontextmanager
async def open_overviews(
    http: aiohttp.ClientSession, count: int, reload_s: float, lookup_s: float
) -> AsyncIterator[None]:
    """Keep overviews open. They are clients of this process: a browser with as many pages would need the machine."""
    tasks = [asyncio.create_task(_overview(http, reload_s, lookup_s)) for _ in range(count)]
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError, aiohttp.ClientError):
            await asyncio.gather(*tasks)
