"""Follows the ledger as server-sent events through all faults, resuming by Last-Event-ID: filtered, or far behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp

from chaos.caller import BASE, JOBS
from chaos.database import Row
from chaos.waiting import Violation, until

_REST_S = 0.1
_SILENCE_S = 30.0
"""Longer than a healthy stream is ever silent."""

_LAG = 1_500
"""Events that a listener which lags is behind when it connects: more than the service reads at once."""


class Listening(NamedTuple):
    """What a listener hears: the parameters of its filters, and the rows that match them.

    `lags`: it is connected only while it catches up with at least _LAG events, or for the last time.
    """

    name: str
    parameters: Mapping[str, str]
    matches: Callable[[Row], bool]
    lags: bool = False


def listenings(actor: str) -> tuple[Listening, ...]:
    """Return what the listeners of a test hear; `actor` is the name of an API key that is used."""
    job = JOBS[0]
    return (
        Listening("everything", {}, lambda _row: True),
        Listening("ends", {"state": "COMPLETED,FAILED"}, lambda row: row.state in ("COMPLETED", "FAILED")),
        Listening(
            "a job's transitions",
            {"job": job, "kind": "transition"},
            lambda row: row.job == job and row.kind == "transition",
        ),
        Listening(
            "a caller's commands",
            {"actor": actor, "source": "api"},
            lambda row: row.actor == actor and row.source == "api",
        ),
        Listening("everything, far behind", {}, lambda _row: True, lags=True),
        Listening(
            "events of OpenLineage, far behind",
            {"source": "openlineage"},
            lambda row: row.source == "openlineage",
            lags=True,
        ),
    )


class Follower:
    """A listener, the positions that it received, and those that it should receive."""

    def __init__(self, base: str, secret: str, listening: Listening) -> None:
        """`base` is the service's URL; `secret` that of an API key."""
        self.listening = listening
        self._url = f"{base}{BASE}/events/stream?{urlencode({'cursor': 'start', **listening.parameters})}"
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._cursor: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._compared = 0
        self.expected: list[int] = []
        self.received: list[int] = []
        self.connected = 0
        if not listening.lags:
            self._start()

    def expect(self, rows: Iterable[Row]) -> None:
        """Add rows of the ledger, in order; those that match must be received."""
        self.expected += [row.position for row in rows if self.listening.matches(row)]

    async def wait(self, *, last: bool = False, seconds: float = 60) -> None:
        """Wait until all expected events are received. Raises Violation unless each was received once, in order.

        A listener that lags waits only when it is far enough behind, or for the last time.
        """
        if self.listening.lags:
            if len(self.expected) - len(self.received) < (1 if last else _LAG):
                return
            self._start()
        try:
            await until(self._reached, f"{self._name} reaches position {self.expected[-1:]}", seconds)
        finally:
            if self.listening.lags:
                await self.close()
        self._compare()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def _name(self) -> str:
        return f"the stream of {self.listening.name}"

    def _start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def _reached(self) -> bool:
        if self._task is not None and self._task.done():
            self._task.result()
        self._compare()
        return len(self.received) >= len(self.expected)

    def _compare(self) -> None:
        """Compare what was received and is expected since the last comparison."""
        begin, end = self._compared, min(len(self.expected), len(self.received))
        for received, expected in zip(self.received[begin:end], self.expected[begin:end], strict=True):
            if received != expected:
                raise Violation(f"{self._name} delivers position {received}; {expected} comes next")
        self._compared = end

    async def _follow(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=2**20, headers=self._headers) as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                    await self._listen(session)
                await asyncio.sleep(_REST_S)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        async with session.get(self._url, headers=headers) as response:
            if response.status != 200:
                if response.status != 503:
                    raise Violation(f"{self._name} is answered {response.status}: {await response.text()}")
                return
            self.connected += 1
            cursor = ""
            async for line in response.content:
                if line.startswith(b"id: "):
                    cursor = line[4:].decode().strip()
                elif line.startswith(b"data: ") and line.endswith(b"\n"):
                    self.take(cursor, json.loads(line[6:])["position"])

    def take(self, cursor: str, position: int) -> None:
        """Take an event that was received. Raises Violation for one that does not come after the last one."""
        if self.received and position <= self.received[-1]:
            raise Violation(f"{self._name} delivers position {position} after {self.received[-1]}")
        self.received.append(position)
        self._cursor = cursor
