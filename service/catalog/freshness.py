"""Keeps the catalog (namespaces, jobs, runs) folded up to where the ledger ends, or to where a reader needs it.

One process folds at a time, under a lock on the cursor, committing each page. Nobody folds within a request: a request
asks for the position that was the head when it came in, and waits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from service.catalog.projector import CatalogProjector
from service.database.connections import Connections
from service.errors import Unavailable
from service.ledger.events import read_head

WAIT_S = 2.0
"""Seconds a request waits for the catalog before it is told 503."""

MOST_BYTES, MOST_EVENTS = 50 * 1024 * 1024, 30_000
"""What may be recorded in bulk and not be folded: about a second's work, so that lists go on while much comes in."""

_PATIENCE = 10.0
"""Seconds after which whoever records in bulk goes on though the catalog does not."""


class CatalogFreshness:
    """How far the catalog is folded, as this process knows; and who waits for it."""

    def __init__(self, folds: CatalogProjector, connections: Connections) -> None:
        """Take who folds, and a connection to ask for the head with."""
        self._folds = folds
        self._connections = connections
        self._head_lock = asyncio.Lock()
        self._reached = 0
        self._moved: asyncio.Future[None] | None = None
        self._next_head: asyncio.Task[int] | None = None
        self._bulk: list[tuple[int, int, int]] = []

    def start(self) -> None:
        """Start folding; what is not folded yet is folded first."""
        self._moved = asyncio.get_running_loop().create_future()
        self._folds.start(self._advance)

    async def close(self) -> None:
        """Stop; what is not folded yet is folded by the next process that starts or is asked."""
        await self._folds.close()

    def appended(self, position: int) -> None:
        """Hear that this process appended up to a position."""
        self._folds.appended(position)

    async def wait_for(self, position: int) -> None:
        """Wait until the catalog holds a position. Raises Unavailable after WAIT seconds."""
        try:
            async with asyncio.timeout(WAIT_S):
                while self._reached < position:
                    self._folds.want(position)
                    assert self._moved is not None  # noqa: S101  start() comes before any request
                    await asyncio.shield(self._moved)
        except TimeoutError:
            raise Unavailable(
                f"the catalog has not caught up with position {position}; nothing is lost, ask again"
            ) from None

    async def throttle(self, position: int, events: int, size: int) -> None:
        """Hear what was recorded in bulk up to a position, and wait while too much of that is not folded."""
        self._bulk.append((position, events, size))
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._is_behind():
                    self._folds.want(min(self._bulk)[0])
                    assert self._moved is not None  # noqa: S101  start() comes before any request
                    await asyncio.shield(self._moved)

    def _is_behind(self) -> bool:
        self._bulk = [one for one in self._bulk if one[0] > self._reached]
        return sum(one[1] for one in self._bulk) > MOST_EVENTS or sum(one[2] for one in self._bulk) > MOST_BYTES

    async def wait_until_current(self) -> None:
        """Wait until the catalog holds all that was recorded when this was called."""
        await self.wait_for(await self._head())

    async def _head(self) -> int:
        """Ask where the ledger ends; whoever comes while one asks shares the next question."""
        if self._next_head is None:
            self._next_head = asyncio.create_task(self._ask_head(), name="head")
        return await asyncio.shield(self._next_head)

    async def _ask_head(self) -> int:
        async with self._head_lock:
            self._next_head = None
            return (await read_head(self._connections)).position

    def _advance(self, position: int) -> None:
        self._reached = max(self._reached, position)
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        if moved is not None and not moved.done():
            moved.set_result(None)
