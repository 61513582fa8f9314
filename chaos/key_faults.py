"""Faults of API keys: one is revoked while it is used, also while the service cannot read keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp

from chaos.caller import BASE, JOBS, Caller
from chaos.client import ATTEMPT_S, session
from chaos.journal import now
from chaos.waiting import Violation, until
from chaos.world import World

STALE_S = 5.0
"""Seconds after its revocation from which a key is not admitted, as docs/api-keys.md promises."""

_CLIENTS = 4
_FIRST = 20
_DEADLINE_S = 30.0
_PAUSE_S = 0.02
_UNAUTHENTICATED = 401


class _Doomed:
    """Clients with a key that is to be revoked: they send events until one of their requests is answered 401."""

    def __init__(self, world: World, name: str, secret: str) -> None:
        self._world = world
        self._name = name
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._caller = Caller(world.client, world.load.journal, world.random, {name: secret, **world.load.secrets})
        self.acknowledged = 0
        self.refused = 0
        self.revoked: float | None = None
        """When the revocation was acknowledged."""

    async def run(self) -> None:
        """Send events until one is answered 401. Raises Violation for an event that is taken too late."""
        async with session() as own:
            while not self.refused:
                await self._send(own)
                await asyncio.sleep(_PAUSE_S)

    async def _send(self, own: aiohttp.ClientSession) -> None:
        at = now() - timedelta(seconds=1)
        body = self._caller.event(self._caller.id(), self._world.random.choice(JOBS), "RUNNING", at)
        late = self.revoked is not None and time.monotonic() > self.revoked + STALE_S
        sent = self._world.load.journal.payload("an event with a key that is revoked", body, self._name)
        sent.sending()
        sent.limit = 0 if late else 1
        url = f"{self._world.service.url}{BASE}/lineage"
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
            async with own.post(url, data=body, headers=self._headers, timeout=timeout) as answer:
                text = await answer.text()
                if answer.status == _UNAUTHENTICATED:
                    sent.limit = 0
                    self.refused += 1
                elif answer.ok:
                    self._take_success(late=late)
                    sent.acknowledged += 1
                elif answer.status != 503:
                    raise Violation(f"an event with API key {self._name} was answered {answer.status}: {text}")

    def _take_success(self, *, late: bool) -> None:
        self.acknowledged += 1
        if late:
            raise Violation(f"an event was taken that was sent more than {STALE_S:.0f} s after its key was revoked")


@asynccontextmanager
async def _doomed(world: World) -> AsyncIterator[tuple[str, _Doomed]]:
    """Run clients with a new key within the block, in which it is to be revoked; they must be refused at its end."""
    name = f"doomed-{world.load.journal.keys.total()}"
    doomed = _Doomed(world, name, await world.create_key(name))
    tasks = [asyncio.create_task(doomed.run(), name="doomed") for _ in range(_CLIENTS)]

    async def begun() -> bool:
        _raise_errors(tasks)
        return doomed.acknowledged >= _FIRST

    async def refused() -> bool:
        _raise_errors(tasks)
        return all(task.done() for task in tasks)

    try:
        await until(begun, "events with a new API key are taken", _DEADLINE_S)
        yield name, doomed
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
    """Revoke an API key that several clients use."""
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
