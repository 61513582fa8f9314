"""What bench/interface.py lets happen beside the page: transitions at a rate, open overviews, starts."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp

from bench.database import new_id
from bench.programs import DidNotStartError
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


@asynccontextmanager
async def open_overviews(port: int, count: int) -> AsyncIterator[int | None]:
    """Keep overviews open, as clients in another process: a browser with as many pages would need the machine.

    Yields the id of that process; None where there are no pages.
    """
    if not count:
        yield None
        return
    program = [sys.executable, str(Path(__file__).with_name("interface_pages.py")), str(port), str(count)]
    pages = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        assert pages.stdout is not None  # noqa: S101  it is a pipe
        if not await pages.stdout.readline():  # else all streams are open
            raise DidNotStartError("the open pages have ended")
        yield pages.pid
    finally:
        if pages.returncode is None:
            pages.terminate()
        await pages.wait()
