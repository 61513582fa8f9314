"""Stands for open overviews: asks the service what their pages ask, `bench/interface_pages.py PORT COUNT`.

It shares the machine with the service, where pages would be on other ones. So it does what makes the service work as
they do, and nothing else: it asks with the headers of Chromium, receives into one piece of memory for all connections,
and of what it receives it looks only at the first line and the length. It prints a line when all pages follow the
ledger.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

import uvloop

API = "/api/v1"

_HEADERS = """Host: 127.0.0.1:{port}
Connection: keep-alive
sec-ch-ua-platform: "Linux"
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36
sec-ch-ua: "Chromium";v="156", "Not)A;Brand";v="24"
sec-ch-ua-mobile: ?0
Accept: */*
Sec-Fetch-Site: same-origin
Sec-Fetch-Mode: cors
Sec-Fetch-Dest: empty
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-US,en;q=0.9
"""
_SHARED = "Cache-Control: max-age=3\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_received = bytearray(256 * 1024)
"""The buffer into which all connections receive. Its content is thrown away."""


class Reading(NamedTuple):
    """What an open overview reads, and every how many seconds at most while events are recorded."""

    path: str
    interval_s: float


def readings() -> list[Reading]:
    """Return what an overview reads on a busy ledger: ui/src/pages/overview.tsx, components/timeline.tsx, shell.tsx."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    ago = {hours: (minute - timedelta(hours=hours)).isoformat().replace("+00:00", "Z") for hours in (1, 24, 168)}
    return [
        Reading(f"{API}/runs?state=RUNNING&sort=start&order=asc&limit=8&count=101", 15),
        Reading(f"{API}/runs?state=FAILED&state=ABORTED&endedAfter={ago[24]}&sort=end&limit=8&count=101", 15),
        Reading(f"{API}/runs?state=RUNNING&updatedBefore={ago[1]}&sort=update&order=asc&limit=100&count=101", 60),
        Reading(f"{API}/runs?contradicted=true&endedAfter={ago[168]}&sort=end&limit=1&count=101", 60),
        Reading(f"{API}/runs?state=RUNNING&sort=start&limit=250", 30),
        Reading("/readyz", 15),
    ]


class _Connection(asyncio.BufferedProtocol):
    """A connection that is kept; what it receives is dropped."""

    def __init__(self) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answered: asyncio.Future[None] | None = None
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        error = exc or ConnectionResetError("the service has closed a connection")
        self.lost.set_exception(error)
        if self._answered is not None:
            self._answered.set_exception(error)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return _received

    def buffer_updated(self, nbytes: int) -> None:
        if self._answered is None:
            return  # a part of a stream
        if self._left:
            self._left -= nbytes
        else:
            head, _, body = bytes(_received[:nbytes]).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                self._answered.set_exception(ConnectionAbortedError(head.decode(errors="replace")))
                self._answered = None
                return
            length = _LENGTH.search(head + b"\r\n")
            self._left = int(length[1]) - len(body) if length else 0
        if not self._left:
            self._answered.set_result(None)
            self._answered = None

    async def get(self, path: str, headers: str = "") -> None:
        """Send a request, and wait until its answer is received: of a stream, until it begins."""
        answered = self._answered = asyncio.get_running_loop().create_future()
        port = self._transport.get_extra_info("peername")[1]
        lines = f"GET {path} HTTP/1.1\n{_HEADERS.format(port=port)}{headers}\n"
        self._transport.write(lines.replace("\n", "\r\n").encode())
        await answered


async def _connect(port: int) -> _Connection:
    return (await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", port))[1]


async def _overview(port: int, opened: asyncio.Semaphore) -> None:
    """Do what an open overview does: follow the ledger in brief, and read its lists anew."""
    stream, requests, one_by_one = await _connect(port), await _connect(port), asyncio.Lock()

    async def read_again(number: int, interval_s: float) -> None:
        await asyncio.sleep(random.random() * interval_s)  # pages are opened at any time
        while True:
            async with one_by_one:
                await requests.get(readings()[number].path, _SHARED)
            await asyncio.sleep(interval_s)

    async with asyncio.TaskGroup() as tasks:
        for number, reading in enumerate(readings()):
            tasks.create_task(read_again(number, reading.interval_s))
        await stream.get(f"{API}/events/stream?cursor=now&brief=true")
        opened.release()
        await stream.lost


async def _keep_open(port: int, count: int) -> None:
    opened = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(_overview(port, opened))
        for _ in range(count):
            await opened.acquire()
        print("open", flush=True)


if __name__ == "__main__":
    uvloop.run(_keep_open(int(sys.argv[1]), int(sys.argv[2])))
