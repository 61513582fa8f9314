"""The task that folds: late while events come thick and fast and nobody waits, at once as far as somebody needs.

It runs in a process of its own beside the one that serves (service/apart.py), or inside that one.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

from service.catalog.page_writer import ReadPage, read_cursor, read_page, write_page
from service.database.connections import Connections
from service.errors import DatabaseUnavailable

_log = logging.getLogger(__name__)

_MUCH = 40_000
"""Events that gather before they are folded though nobody waits. A burst is answered first, filed later; whoever
asks for a list in the middle of it waits for this many."""

_SOON = 2.0
"""Whoever waits twice within so many seconds is expected a third time, as soon after that …"""

_ATTENTIVE = 0.02
"""… and until then events gather for no more than so many seconds, so that there is little left to fold."""

_CLOSE_S = 2.0

_WORTHWHILE = 100
"""Events in a page that has probably another behind it, to be read while it is written."""

_QUIET = 0.2
"""Seconds without an append after which there is time to fold."""

_PATIENCE = 4.0
"""Seconds after which what has gathered is folded in any case."""

OnProgress = Callable[[int], None]
"""Hears up to which position the catalog is folded."""


class CatalogProjector(Protocol):
    """What a catalog leaves the folding to."""

    def start(self, reached: OnProgress) -> None:
        """Start; `reached` hears of every page."""

    async def close(self) -> None:
        """Stop; what is not folded yet is folded by the next process that starts or is asked."""

    def appended(self, position: int) -> None:
        """Hear that this process appended up to a position: to be folded when there is time."""

    def want(self, position: int) -> None:
        """Hear that somebody waits for a position."""


class ReaderDemand:
    """Whether somebody will soon wait: who came twice in a short time is expected again."""

    def __init__(self) -> None:
        """Nobody came yet."""
        self._came = self._until = -math.inf

    def came(self, now: float) -> None:
        """Hear that somebody waits."""
        if now - self._came < _SOON:
            self._until = now + _SOON
        self._came = now

    def holds(self, now: float) -> bool:
        """Tell whether somebody is expected."""
        return now < self._until


class _Ahead(NamedTuple):
    """A page that is being read, and up to where somebody was known to wait when that began."""

    reading: asyncio.Task[ReadPage]
    asked: int


class Projector:
    """Reads a page while it writes the one before, so that PostgreSQL and Python work at the same time."""

    def __init__(self, connections: Connections) -> None:
        """Take two connections; whoever opened them closes them."""
        self._connections = connections
        self._reached = 0
        self._wanted = 0
        self._appended = 0
        self._expected = ReaderDemand()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, reached: OnProgress) -> None:
        """Start; what is not folded yet is folded first."""
        self._task = asyncio.create_task(self._run(reached), name="folder")

    async def close(self) -> None:
        """Stop in the middle of whatever is under way: a page is a transaction.

        Where the database does not answer, the driver does not let go either: its connection is closed over it.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_S)

    def appended(self, position: int) -> None:
        """Hear that events were appended up to a position."""
        if position > self._appended:
            self._appended = position
            self._wake.set()

    def want(self, position: int) -> None:
        """Hear that somebody waits for a position."""
        if position > self._wanted:  # else it is somebody who waits already
            self._expected.came(asyncio.get_running_loop().time())
            self._wanted = position
            self._wake.set()

    async def _run(self, reached: OnProgress) -> None:
        await self._fold(reached)
        while True:
            if self._wanted <= self._reached:
                await self._wake.wait()
                self._wake.clear()
                await self._be_lazy()
            await self._fold(reached)

    async def _be_lazy(self) -> None:
        """Let appends gather while they come thick and fast, unless somebody waits or much has gathered."""
        expected = self._expected.holds(asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            async with asyncio.timeout(_ATTENTIVE if expected else _PATIENCE):
                while self._wanted <= self._reached and self._appended - self._reached < _MUCH:
                    async with asyncio.timeout(_QUIET):
                        await self._wake.wait()
                    self._wake.clear()

    async def _fold(self, reached: OnProgress) -> None:
        """Fold to the end, as far as is known; at least a page, for other processes may have appended."""
        try:
            done = False
            while not done:
                done = await self._fold_pages(reached)
        except DatabaseUnavailable:
            await self._try_again()
        except Exception:  # noqa: BLE001  the task must outlive whatever happens to one page
            _log.exception("the catalog could not be folded")
            await self._try_again()

    async def _try_again(self) -> None:
        await asyncio.sleep(_QUIET)
        self._wake.set()

    async def _fold_pages(self, reached: OnProgress) -> bool:
        """Fold page after page from where the cursor is. False where there is more to do from where it is then."""
        ahead: _Ahead | None = None
        position = await read_cursor(self._connections)
        self._advance(position, reached)  # another process may have brought it there
        try:
            while True:
                taken, ahead = ahead or self._read(position), None
                page = await taken.reading
                if not page.events:
                    return self._ended(page.upto, taken, reached)
                position = page.upto
                if page.events >= _WORTHWHILE:
                    ahead = self._read(position)
                folded = await write_page(self._connections, page)
                if folded is None:
                    return False  # another process moved the cursor
                self._advance(position, reached)
                if position >= max(folded.end, self._wanted, self._appended):
                    return True
        finally:
            if ahead is not None:
                ahead.reading.cancel()
                await asyncio.gather(ahead.reading, return_exceptions=True)

    def _read(self, after: int) -> _Ahead:
        task = asyncio.create_task(read_page(self._connections, after), name="page")
        return _Ahead(task, max(self._wanted, self._appended))

    def _ended(self, position: int, taken: _Ahead, reached: OnProgress) -> bool:
        """There is nothing after a position, nor was there anything to wait for beyond it when the page was asked for.

        Appends commit before they are told of.
        """
        self._advance(position, reached)
        if max(self._wanted, self._appended) <= taken.asked:
            self._wanted = self._appended = position
        return max(self._wanted, self._appended) <= position

    def _advance(self, position: int, reached: OnProgress) -> None:
        self._reached = max(self._reached, position)
        reached(self._reached)
