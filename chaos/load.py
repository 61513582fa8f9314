"""Many concurrent clients, which finish what they are doing when the load ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from chaos.caller import Caller
from chaos.client import PATIENCE_S, Client, GaveUpError, Tally, session
from chaos.journal import Journal
from chaos.lives import live
from chaos.waiting import Violation, until

_SHORT_PATIENCE_S = 3.0
"""Seconds after which every fourth client gives up on a request; that request may be recorded or not."""

_QUIET_S = PATIENCE_S + 30.0


class Load:
    """Clients that report one run after the other."""

    def __init__(self, journal: Journal, *, clients: int, pause: float, seed: str) -> None:
        """`pause`: longest rest of a client between two runs, in seconds.

        Set `base`, the service's URL, and `secrets`, those of the clients' API keys by name, before use.
        """
        self.tally = Tally()
        self.base = ""
        self.secrets: dict[str, str] = {}
        self.journal = journal
        self._clients = clients
        self._pause = pause
        self._seed = seed
        self._rounds = 0
        self._ending = False
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run clients during the block, then wait until each has finished its run. Raises the first error of one."""
        self._ending = False
        self._rounds += 1
        self._tasks = [asyncio.create_task(self._client(number)) for number in range(self._clients)]
        try:
            yield
            self._ending = True
            await self._wait_for_clients()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait_for_clients(self) -> None:
        done, pending = await asyncio.wait(self._tasks, timeout=_QUIET_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        if pending:
            raise Violation(f"{len(pending)} clients were not answered within {_QUIET_S:.0f} s")

    async def answered(self, count: int, seconds: float = PATIENCE_S) -> None:
        """Wait until `count` more requests are answered. Raises the first error of a client."""
        wanted = self.tally.answered + count

        async def enough() -> bool:
            self.raise_errors()
            return self.tally.answered >= wanted

        await until(enough, f"{count} more requests are answered", seconds)

    def raise_errors(self) -> None:
        """Raise the first error of a client that has ended."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def caller(self, client: Client, chance: Random) -> Caller:
        """Return a caller beside the clients of the load."""
        return Caller(client, self.journal, chance, self.secrets)

    async def _client(self, number: int) -> None:
        chance = Random(f"{self._seed}/{self._rounds}/{number}")
        patience = _SHORT_PATIENCE_S if number % 4 == 3 else PATIENCE_S
        async with session() as own:
            names = sorted(self.secrets, reverse=number % 2 == 1)
            secrets = {name: self.secrets[name] for name in names}
            client = Client(self.base, own, self.tally, chance, secrets[names[0]], patience)
            caller = Caller(client, self.journal, chance, secrets)
            while not self._ending:
                try:
                    await live(caller)
                except GaveUpError:
                    continue
                await asyncio.sleep(chance.uniform(0, self._pause))
