"""A few connections shared by many readers, each kept with its settings. Who finds all taken waits for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from service.database.connections import Link, Unreachable
from service.errors import Overloaded, Unavailable

_PATIENCE_S = 10.0


class Lanes:
    """Raises Unavailable where the database does not answer, Overloaded where no connection comes free."""

    def __init__(self, links: Sequence[Link]) -> None:
        """Take the connections; whoever opened them closes them."""
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for link in links:
            self._free.put_nowait(link)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Give a connection."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                link = await self._free.get()
        except TimeoutError:
            raise Overloaded("too many are reading the ledger; nothing is lost, ask again") from None
        try:
            async with link.connection() as connection:
                yield connection
        except Unreachable as error:
            raise Unavailable(f"the database does not answer: {error}") from error
        finally:
            self._free.put_nowait(link)
