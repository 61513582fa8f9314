"""Knows how far the catalog is projected, and lets requests wait until it holds a position.

One process projects at a time, holding a lock on the cursor's row, and commits each page. A request never projects: it
takes the position of the ledger head at its arrival and waits until the catalog holds it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from service.catalog.projector_interface import CatalogProjector
from service.database.connections import Connections
from service.errors import Unavailable
from service.ledger.events import read_head
from service.ledger.ledger_end import LedgerEnd
from service.trace_context import TraceContext

WAIT_S = 2.0
"""Seconds a request waits for the catalog before it is answered with 503."""

MAX_PENDING_BYTES, MAX_PENDING_EVENTS = 50 * 1024 * 1024, 20_000
"""How much bulk input may wait to be projected: less than requests can wait for, on a machine that is not busy."""

_MIN_PENDING_EVENTS, _BACKLOG_S = 1_000, 1.0
"""Where projecting MAX_PENDING_EVENTS takes longer than these seconds, no more may wait than is projected in them."""

_MEASURED_S = 0.5
"""Seconds over which the pace is measured, at least."""

_STALLED_S = 30.0
"""Seconds without progress, while events are pending, after which the projector is said not to work."""

_MAX_THROTTLE_S = 10.0
"""Seconds after which a bulk writer goes on although the catalog makes no progress."""

_READER_PATIENCE_S = 0.1
"""Seconds that a request waits for the catalog before bulk writers pause for it, which leaves the processors and the
database to the projector. Requests that wait less never hold a bulk writer back."""


class _PendingBatch(NamedTuple):
    """A batch that was recorded in bulk: its last position, its events, and the bytes of their payloads."""

    position: int
    events: int
    size: int


class Pace:
    """How many events of bulk input may wait, by how many are projected per second while some do.

    A page costs less per event the larger it is, so twice as many may wait once all are projected.
    """

    def __init__(self) -> None:
        """Begin with the most that may ever wait."""
        self.max_pending = MAX_PENDING_EVENTS
        self._begin: tuple[float, int] | None = None

    def observe(self, position: int, now: float, *, is_busy: bool) -> None:
        """Learn the position up to which all is projected at a time; `is_busy`: whether bulk input waits then."""
        if self._begin is None:
            self._begin = (now, position) if is_busy else None
        elif not is_busy:
            self._allow(2 * self.max_pending)
            self._begin = None
        elif (seconds := now - self._begin[0]) >= _MEASURED_S:
            self._allow(int((position - self._begin[1]) / seconds * _BACKLOG_S))
            self._begin = now, position

    def _allow(self, events: int) -> None:
        self.max_pending = max(_MIN_PENDING_EVENTS, min(MAX_PENDING_EVENTS, events))


class LagWatch:
    """Finds out, from positions as they are read now and then, whether the catalog makes progress."""

    def __init__(self) -> None:
        """Begin without a position."""
        self._projected = -1
        self._since: float | None = None

    def observe(self, head: int, projected: int, now: float) -> float:
        """Return for how many seconds, as far as is known, events have been pending without progress."""
        if projected >= head or projected != self._projected:
            self._since = None
        self._projected = projected
        if projected >= head:
            return 0.0
        if self._since is None:
            self._since = now
        return now - self._since


class CatalogFreshness:
    """The position up to which the catalog is projected, as this process knows it, and the tasks that wait for it.

    Another projection of the ledger, that of datasets and lineage, has one of its own.
    """

    def __init__(
        self,
        projector: CatalogProjector,
        connections: Connections,
        end: LedgerEnd | None = None,
        name: str = "the catalog",
    ) -> None:
        """Take what projects, a connection to read the ledger head with, and what learns of that head.

        `name`: of what is projected, for messages.
        """
        self._name = name
        self._end = end or LedgerEnd()
        self._limit_s = connections.command_timeout_s
        self._projector = projector
        self._connections = connections
        self._head_lock = asyncio.Lock()
        self._projected = 0
        self._progress: asyncio.Future[None] | None = None
        self._next_head: asyncio.Task[int] | None = None
        self._pending: list[_PendingBatch] = []
        self._readers: dict[object, float] = {}
        """When each request began to wait, oldest first."""
        self._lag = LagWatch()
        self._pace = Pace()

    def start(self) -> None:
        """Start projecting; events that are not projected yet come first."""
        self._progress = asyncio.get_running_loop().create_future()
        self._projector.start(self._on_progress)

    async def close(self) -> None:
        """Stop; the next process that starts, or that needs the catalog, projects the rest."""
        await self._projector.close()

    def forget_positions(self) -> None:
        """Forget how far the catalog was projected: the ledger has lost its tail, and the catalog with it."""
        self._projected = 0
        self._pending.clear()
        self._projector.forget_positions()

    def notify_appended(self, position: int) -> None:
        """Report that this process appended events up to a position."""
        self._projector.notify_appended(position)

    def request(self, position: int) -> None:
        """Project up to a position at once, because a process of an earlier version, which cannot, waits for it."""
        if position > self._projected:
            self._projector.prioritize(position)

    def pace(self, *, slow: bool) -> None:
        """Have it projected slowly, as requests are refused that wait for the same processors, or quickly again."""
        self._projector.pace(slow=slow)

    def link(self, position: int, batch: TraceContext) -> None:
        """Name the span of the batch that ends at a position, for traces."""
        self._projector.link(position, batch)

    @property
    def projected(self) -> int:
        """The position up to which all is projected, as far as this process knows; 0: it does not know yet."""
        return self._projected

    @property
    def restarts(self) -> int:
        """How many processes of the projector were started in place of one that ended."""
        return self._projector.status().restarts

    @property
    def projector_problem(self) -> str | None:
        """Why this process has no working projector, whether or not events are pending."""
        return self._projector.status().problem

    def problem(self, head: int, projected: int) -> str | None:
        """Return why the projector does not work, by the positions of the ledger head and of the catalog's cursor.

        It is woken where events are pending: another process may have appended them.
        """
        if projected < head:
            self.notify_appended(head)
        stalled_s = self._lag.observe(head, projected, asyncio.get_running_loop().time())
        problem = self.projector_problem
        if problem is None and stalled_s >= _STALLED_S:
            problem = f"{head - projected} events are pending, and none was projected for {stalled_s:.0f} s"
        return problem

    async def wait_for(self, position: int, seconds: float = WAIT_S) -> None:
        """Wait until the catalog holds a position. Raises Unavailable after some seconds, or the connections' limit."""
        reader = object()
        self._readers[reader] = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(seconds, self._limit_s)):
                while self._projected < position:
                    await self._wait_for_progress(position)
        except TimeoutError:
            raise Unavailable(f"{self._name} does not have the last events yet; repeat the request") from None
        finally:
            del self._readers[reader]

    async def throttle(self, position: int, events: int, size: int) -> None:
        """Report a batch that was recorded in bulk, and wait while too much bulk input is not projected.

        It is too much, too, as long as a request has waited for the catalog for _READER_PATIENCE_S.
        """
        self._pending.append(_PendingBatch(position, events, size))
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAX_THROTTLE_S):
                while self._is_behind():
                    await self._wait_for_progress(min(self._pending).position)

    def _is_behind(self) -> bool:
        self._pending = [batch for batch in self._pending if batch.position > self._projected]
        return bool(self._pending) and (
            sum(batch.events for batch in self._pending) > self._pace.max_pending
            or sum(batch.size for batch in self._pending) > MAX_PENDING_BYTES
            or self._longest_wait_s() > _READER_PATIENCE_S
        )

    def _longest_wait_s(self) -> float:
        """Return for how long the request has waited that has waited longest."""
        now = asyncio.get_running_loop().time()
        return now - next(iter(self._readers.values()), now)

    async def _wait_for_progress(self, position: int) -> None:
        """Ask for a position, and wait until some more of the ledger is projected."""
        self._projector.prioritize(position)
        assert self._progress is not None  # noqa: S101  start() comes before any request
        await asyncio.shield(self._progress)

    async def wait_until_current(self, seconds: float = WAIT_S) -> None:
        """Wait until the catalog holds all that was recorded when this was called. Raises Unavailable."""
        began = asyncio.get_running_loop().time()
        position = await self._head()
        left = began + self._limit_s - asyncio.get_running_loop().time()
        await self.wait_for(position, max(0.0, min(seconds, left)))

    async def wait_or_count(self) -> int:
        """As wait_until_current; where that takes too long, return how many of the events are missing instead.

        Raises Unavailable if the database cannot be used, or if nothing is projected yet, as far as this process knows.
        """
        position = await self._head()
        try:
            await self.wait_for(position)
        except Unavailable:
            self._connections.state.raise_if_down()
            if not self._projected:
                raise
        return max(0, position - self._projected)

    async def _head(self) -> int:
        """Return the position of the ledger head. Calls that arrive while a query runs share the next query."""
        if self._next_head is None:
            self._connections.state.raise_if_down()
            self._next_head = asyncio.create_task(self._read_head(), name="head")
            self._next_head.add_done_callback(_retrieve_error)
        try:
            async with asyncio.timeout(self._limit_s):
                return await asyncio.shield(self._next_head)
        except TimeoutError:
            raise Unavailable(f"the database did not answer within {self._limit_s:g} s; ask again") from None

    async def _read_head(self) -> int:
        async with self._head_lock:
            self._next_head = None
            known = self._end.position
            position = (await read_head(self._connections)).position
            self._end.record_head(known, position)
            return position

    def _on_progress(self, position: int) -> None:
        self._projected = max(self._projected, position)
        is_busy = any(batch.position > self._projected for batch in self._pending)
        self._pace.observe(self._projected, asyncio.get_running_loop().time(), is_busy=is_busy)
        progress, self._progress = self._progress, asyncio.get_running_loop().create_future()
        if progress is not None and not progress.done():
            progress.set_result(None)


def _retrieve_error(task: asyncio.Task[int]) -> None:
    """Mark the error of a task as seen: those that waited for it may have given up."""
    if not task.cancelled():
        task.exception()
