"""Faults of API keys: one is revoked while it is used, also while the service cannot read keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp

from chaos.caller import BASE, JOBS, Caller
from chaos.client import ATTEMPT_S, session
from chaos.journal import Payload, now
from chaos.waiting import Violation, until
from chaos.world import World

STALE_S = 5.0
"""Seconds after its revocation from which a key is not admitted, as docs/api-keys.md promises."""

_CUT_S = 10.0
"""Seconds after its key's revocation, or once keys can be read again, after which a stream of lines must have ended."""

_CLIENTS = 4
_FIRST = 20
_DEADLINE_S = 30.0
_PAUSE_S = 0.02
_UNAUTHENTICATED, _UNAVAILABLE = 401, 503
_BROKEN = (aiohttp.ClientError, ConnectionError, TimeoutError)


class _Doomed:
    """Clients with a key that is to be revoked: each sends events until it is answered 401."""

    def __init__(self, world: World, name: str, secret: str) -> None:
        self._world = world
        self._name = name
        self._url = f"{world.service.url}{BASE}/lineage"
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._caller = Caller(world.client, world.load.journal, world.random, {name: secret, **world.load.secrets})
        self.acknowledged = 0
        self.revoked: float | None = None
        """When the revocation was acknowledged."""
        self.cut_by: float | None = None
        """When a stream of lines must have ended."""
        self._overdue = False

    async def send_events(self) -> None:
        """Send events one by one. Raises Violation for one that is taken too late."""
        async with session() as own:
            refused = False
            while not refused:
                refused = await self._send_event(own)
                await asyncio.sleep(_PAUSE_S)

    async def send_lines(self) -> None:
        """Send events as lines of long requests. Raises Violation for a request that goes on for too long."""
        async with session() as own:
            refused = False
            while not refused:
                refused = await self._send_lines(own)
                await asyncio.sleep(_PAUSE_S)

    def _event(self) -> tuple[bytes, Payload]:
        """Enter a new event into the journal; one that is sent too late may not be recorded."""
        at = now() - timedelta(seconds=1)
        body = self._caller.event(self._caller.id(), self._world.random.choice(JOBS), "RUNNING", at)
        late = self.revoked is not None and time.monotonic() > self.revoked + STALE_S
        what = "an event with a key that is revoked"
        sent = self._world.load.journal.payload(what, body, self._name, 0 if late else 1)
        sent.sending()
        return body, sent

    async def _send_event(self, own: aiohttp.ClientSession) -> bool:
        """Send an event; return whether it is answered 401."""
        body, sent = self._event()
        headers = {**self._headers, "Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        try:
            async with own.post(self._url, data=body, headers=headers, timeout=timeout) as answer:
                text = await answer.text()
        except _BROKEN:
            return False
        if answer.ok:
            if not sent.limit:
                raise Violation(f"an event was taken that was sent {STALE_S:.0f} s after its key was revoked")
            self.acknowledged += 1
            sent.acknowledged += 1
        elif answer.status == _UNAUTHENTICATED:
            sent.limit = 0
        elif answer.status != _UNAVAILABLE:
            raise Violation(f"an event with API key {self._name} is answered {answer.status}: {text}")
        return answer.status == _UNAUTHENTICATED

    async def _send_lines(self, own: aiohttp.ClientSession) -> bool:
        """Send lines until the service ends the request; return whether it is answered 401."""
        headers = {**self._headers, "Content-Type": "application/x-ndjson"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_DEADLINE_S)
        try:
            async with own.post(f"{self._url}/batch", data=self._lines(), headers=headers, timeout=timeout) as answer:
                text = await answer.text()
        except _BROKEN:
            return False
        if self._overdue:
            raise Violation(f"a stream of lines goes on {_CUT_S:.0f} s after its key was revoked")
        if answer.status not in (200, 204, _UNAUTHENTICATED, _UNAVAILABLE):
            raise Violation(f"lines with API key {self._name} are answered {answer.status}: {text}")
        return answer.status == _UNAUTHENTICATED

    async def _lines(self) -> AsyncIterator[bytes]:
        while not self._overdue:
            body, _ = self._event()
            yield body + b"\n"
            await asyncio.sleep(_PAUSE_S)
            self._overdue = self.cut_by is not None and time.monotonic() > self.cut_by


@asynccontextmanager
async def _doomed(world: World) -> AsyncIterator[tuple[str, _Doomed]]:
    """Run clients with a new key within the block, in which it is to be revoked; they must be refused at its end."""
    name = f"doomed-{world.load.journal.keys.total()}"
    doomed = _Doomed(world, name, await world.create_key(name))
    clients = [doomed.send_lines(), *(doomed.send_events() for _ in range(_CLIENTS))]
    tasks = [asyncio.create_task(client, name="doomed") for client in clients]

    async def begun() -> bool:
        _raise_errors(tasks)
        return doomed.acknowledged >= _FIRST

    async def refused() -> bool:
        _raise_errors(tasks)
        return all(task.done() for task in tasks)

    try:
        await until(begun, "events with a new API key are taken", _DEADLINE_S)
        yield name, doomed
        doomed.cut_by = time.monotonic() + _CUT_S
        await until(refused, "a revoked API key is refused", _DEADLINE_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _raise_errors(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def revoke_key(world: World, _longest: float) -> None:
    """Revoke an API key that several clients use, one for a stream of lines."""
    async with _doomed(world) as (name, doomed):
        await world.revoke_key(name)
        doomed.revoked = time.monotonic()


async def hide_keys(world: World, _longest: float) -> None:
    """Revoke an API key while the service cannot read keys: after 5 s it takes nothing with any key."""
    async with _doomed(world) as (name, doomed), world.proxy.hiding():
        await world.revoke_key(name)
        doomed.revoked = time.monotonic()
        await asyncio.sleep(STALE_S)
        before, counts = doomed.acknowledged, world.load.tally.counts
        refusals = counts["503"]
        await asyncio.sleep(STALE_S / 2)
        if counts["503"] == refusals or doomed.acknowledged > before + _CLIENTS:
            raise Violation("requests are admitted although no API key can be checked")
