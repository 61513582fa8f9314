"""The memory of the real program under large requests."""

import asyncio
import io
import re
from pathlib import Path
from uuid import uuid4

import aiohttp
from lineage_client import JSON, LINEAGE, event

MIB = 1024 * 1024
LIMIT_MIB = 300


def peak_mib(pid: int) -> float:
    """Return the largest resident set that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


async def test_32_events_of_8_mb_fit_into_a_process_of_300_mib(server):
    """Each is recorded or answered 503."""
    text = "0123456789abcdef" * (8_000_000 // 16)

    async def record(session) -> int:
        body = event(run=uuid4(), padding={"text": text}).encode()
        async with session.post(server.url + LINEAGE, data=io.BytesIO(body), headers=JSON) as answer:
            return answer.status

    async with aiohttp.ClientSession() as session, asyncio.timeout(120):
        found = await asyncio.gather(*(record(session) for _ in range(32)), return_exceptions=True)
    # A refused body need not be read to its end: then the client may see a reset in place of the answer.
    statuses = {status for status in found if not isinstance(status, aiohttp.ClientError)}
    assert 201 in statuses
    assert statuses <= {201, 503}
    assert peak_mib(server.process.pid) < LIMIT_MIB
