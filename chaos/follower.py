"""Follows the ledger as server-sent events through all faults, resuming by Last-Event-ID."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import aiohttp

from chaos.caller import BASE
from chaos.waiting import Violation, until

_REST_S = 0.1
_SILENCE_S = 30.0
"""Longer than a healthy stream is ever silent."""


class Follower:
    """A listener that keeps the last position it received."""

    def __init__(self, base: str) -> None:
        """`base` is the service's URL."""
        self._url = f"{base}{BASE}/events/stream?cursor=start"
        self._cursor: str | None = None
        self._task = asyncio.create_task(self._follow(), name="follower")
        self.position = 0
        self.resumed = -1

    async def wait_for(self, position: int, seconds: float = 60) -> None:
        """Wait until a position was received. Raises Violation if an event came out of order or not in time."""

        async def reached() -> bool:
            if self._task.done():
                self._task.result()
            return self.position >= position

        await until(reached, f"the stream of events reaches position {position}", seconds)

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=2**20) as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                    await self._listen(session)
                await asyncio.sleep(_REST_S)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        async with session.get(self._url, headers=headers) as response:
            if response.status != 200:
                if response.status != 503:
                    raise Violation(f"the stream of events is answered {response.status}: {await response.text()}")
                return
            self.resumed += 1
            cursor = ""
            async for line in response.content:
                if line.startswith(b"id: "):
                    cursor = line[4:].decode().strip()
                elif line.startswith(b"data: ") and line.endswith(b"\n"):
                    self._take(cursor, json.loads(line[6:])["position"])

    def _take(self, cursor: str, position: int) -> None:
        if position != self.position + 1:
            raise Violation(f"the stream of events delivers position {position} after {self.position}")
        self.position, self._cursor = position, cursor
