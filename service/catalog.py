"""Keeps the catalog (namespaces, jobs, runs) folded up to where the ledger ends, or to where a reader needs it.

One process folds at a time, under a lock on the cursor, committing each page. Nobody folds within a request: a request
asks for the position that was the head when it came in, and waits.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from service import ledger
from service.errors import Unavailable
from service.folding import fold_once
from service.link import Link, Unreachable

_log = logging.getLogger(__name__)

WAIT = 2.0
"""Seconds a request waits for the catalog before it is told 503."""

_MUCH = 20_000
"""Events that gather before they are folded though nobody waits. A burst is answered first, filed later; whoever
asks for a list in the middle of it waits for this many, well below WAIT."""

_QUIET = 0.2
"""Seconds without an append after which there is time to fold."""

_PATIENCE = 3.0
"""Seconds after which what has gathered is folded in any case."""


class Catalog:
    """The folding task of this process."""

    def __init__(self, link: Link, head_link: Link) -> None:
        """Take a connection to fold with and one to ask for the head with."""
        self._link = link
        self._head_link = head_link
        self._head_lock = asyncio.Lock()
        self._reached = 0
        self._wanted = 0
        self._appended = 0
        self._wake = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_head: asyncio.Task[int] | None = None

    def start(self) -> None:
        """Start folding; what is not folded yet is folded first."""
        self._moved = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="catalog")

    async def close(self) -> None:
        """Stop; what is not folded yet is folded by the next process that starts or is asked."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def appended(self, position: int) -> None:
        """Hear that this process appended up to a position."""
        if position > self._appended:
            self._appended = position
            self._wake.set()

    async def reach(self, position: int) -> None:
        """Wait until the catalog holds a position. Raises Unavailable after WAIT seconds."""
        try:
            async with asyncio.timeout(WAIT):
                while self._reached < position:
                    self._wanted = max(self._wanted, position)
                    self._wake.set()
                    assert self._moved is not None  # noqa: S101  start() comes before any request
                    await asyncio.shield(self._moved)
        except TimeoutError:
            raise Unavailable(
                f"the catalog has not caught up with position {position}; nothing is lost, ask again"
            ) from None

    async def catch_up(self) -> None:
        """Wait until the catalog holds all that was recorded when this was called."""
        await self.reach(await self._head())

    async def _head(self) -> int:
        """Ask where the ledger ends; whoever comes while one asks shares the next question."""
        if self._next_head is None:
            self._next_head = asyncio.create_task(self._ask_head(), name="head")
        return await asyncio.shield(self._next_head)

    async def _ask_head(self) -> int:
        async with self._head_lock:
            self._next_head = None
            try:
                return (await ledger.head(self._head_link)).position
            except Unreachable as error:
                raise Unavailable(f"the database does not answer: {error}") from error

    async def _run(self) -> None:
        await self._fold_to_the_end()
        while True:
            if self._wanted <= self._reached:
                await self._wake.wait()
                self._wake.clear()
                await self._be_lazy()
            await self._fold_to_the_end()

    async def _be_lazy(self) -> None:
        """Let appends gather while they come thick and fast, unless somebody waits or much has gathered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._wanted <= self._reached and self._appended - self._reached < _MUCH:
                    async with asyncio.timeout(_QUIET):
                        await self._wake.wait()
                    self._wake.clear()

    async def _fold_to_the_end(self) -> None:
        try:
            while True:
                position, folded = await fold_once(self._link)
                self._advance(position)
                if not folded:
                    # Appends commit before they are told of: nobody waits for what is beyond the end.
                    self._wanted = min(self._wanted, position)
                    return
        except Unreachable:
            await asyncio.sleep(_QUIET)
        except Exception:  # noqa: BLE001  the task must outlive whatever happens to one page
            _log.exception("the catalog could not be folded")
            await asyncio.sleep(_QUIET)

    def _advance(self, position: int) -> None:
        self._reached = max(self._reached, position)
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        if moved is not None and not moved.done():
            moved.set_result(None)
