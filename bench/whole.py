"""Measures operations on the whole ledger: export over HTTP, and `runfold verify`."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.operations import WrongAnswersError
from bench.programs import runfold

if TYPE_CHECKING:
    from bench.ledger_stage import LedgerStage

BLOCK = 1024 * 1024
WATCH_S = 0.1
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Export:
    """The figures of an export; memory is the resident memory of the service in bytes."""

    events: int
    size: int
    seconds: float
    rss_before: int
    rss_peak: int

    @property
    def rate(self) -> float:
        """Events per second, from the request to the last byte."""
        return self.events / self.seconds


@dataclass(frozen=True)
class Verification:
    """The figures of a verification, including the start of the program."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


async def export(stage: LedgerStage, accept: str) -> Export:
    """Read all events; check that there are as many lines as events and that the last line is the last event."""
    before = highest = stage.service.usage().rss
    reading = asyncio.create_task(asyncio.to_thread(_read, stage.service.port, accept))
    while not reading.done():
        await asyncio.wait([reading], timeout=WATCH_S)
        highest = max(highest, stage.service.usage().rss)
    lines, size, last, seconds = await reading
    if lines != stage.head or json.loads(last)["position"] != stage.head:
        raise WrongAnswersError(f"{stage.head} events, {lines} lines exported, the last of them {last[:200]!r}")
    return Export(lines, size, seconds, before, highest)


def _read(port: int, accept: str) -> tuple[int, int, bytes, float]:
    """Return the number of lines, the bytes, the last line and the seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    began = time.perf_counter()
    connection.request("GET", "/api/v1/events", headers={"Accept": accept})
    answer = connection.getresponse()
    lines = size = 0
    tail = b""
    while block := answer.read(BLOCK):
        lines += block.count(b"\n")
        size += len(block)
        tail = (tail + block)[-BLOCK:]
    seconds = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise WrongAnswersError(f"export: {answer.status} {tail[:1000]!r}")
    return lines, size, tail.rstrip(b"\n").rpartition(b"\n")[2], seconds


async def verification(stage: LedgerStage) -> Verification:
    """Run `runfold verify` while the service runs; check that it verifies the whole ledger."""
    began = time.perf_counter()
    command = [str(part) for part in (*runfold(), "verify", "--json", "--data-dir", stage.data_dir)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
    seconds = time.perf_counter() - began
    verdict = json.loads(output)
    if not verdict["ok"] or verdict["to"] != stage.head:
        raise WrongAnswersError(f"verify: {verdict}")
    return Verification(stage.head, seconds)
