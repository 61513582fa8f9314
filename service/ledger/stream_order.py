"""Keeps the order of a stream of events where it matters: among those of one run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID


class StreamOrder:
    """Lets pieces of a stream of events be appended at the same time, unless they have events of the same run.

    A piece that overtook another one would have the lower positions, and the history of a run would say that its events
    were reported out of order.
    """

    def __init__(self) -> None:
        """Begin without pieces."""
        self._under_way: dict[asyncio.Future[None], frozenset[UUID]] = {}

    @asynccontextmanager
    async def turn(self, streams: Iterable[UUID]) -> AsyncIterator[None]:
        """Wait for the pieces that came before and have one of these streams, also if they fail.

        Pieces come in the order in which their tasks are created.
        """
        own = frozenset(streams)
        before = [done for done, others in self._under_way.items() if not own.isdisjoint(others)]
        done = asyncio.get_running_loop().create_future()
        self._under_way[done] = own
        try:
            if before:
                await asyncio.wait(before)
            yield
        finally:
            del self._under_way[done]
            done.set_result(None)
