"""Decides when the ledger is projected, into the catalog or into datasets and lineage.

Late while appends are dense and no reader waits, at once when one does, and slowly while the service refuses requests
because it is overloaded. A projector runs in a process of its own beside the serving one
(lineage/projector_process.py), or inside the serving one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Generic, NamedTuple

from service.catalog.failures import PageSize, PageTooLarge, is_caused_by_page
from service.catalog.ledger_projection import LedgerProjection, P
from service.catalog.newer_catalog import NewerCatalog, request_projection
from service.catalog.projector_interface import OnProgress, ProjectorStatus
from service.catalog.reader_demand import ReaderDemand
from service.errors import DatabaseUnavailable
from service.ledger.stored_registers import NewerRegisters
from service.trace_context import TraceContext
from service.tracing import Tracing

_log = logging.getLogger(__name__)

_MAX_PENDING_EVENTS = 40_000
"""Project at the latest when this many events are pending: a burst is answered first and projected later. A list
request in the middle of a burst waits for this many."""

_LOW_LATENCY_S = 0.02
"""Longest time that events stay pending at low latency, so that little is left to project when a request comes."""

_CLOSE_S = 2.0

_PREFETCH_EVENTS = 100
"""A page with this many events probably has a successor: that is read while the page is written."""

_QUIET_S = 0.2
"""Seconds without an append after which pending events are projected."""

_FOLLOW_S = 0.05
"""Seconds between two looks at how far a newer version has projected, while a reader waits."""

_GIVE_WAY_S = 2.0
"""Longest time that a page waits for the projector that comes first, so that it goes on under lasting bulk input."""

_IDLE_WORK_S = 1.0
"""Longest time of other work before events are projected again."""

_MAX_LOSSES = 3
"""After this many failures of the database in a row, pages are made smaller, too: one may ask too much of it."""

_MAX_BATCHES = 1000
"""Spans of batches that are remembered for the page that projects them."""

_AFTER_OUTAGE_S = 2.5
"""Longest time without work after a failed statement: more than that after which an outage has ended (outages.py)."""

_SLOW_PAGE_EVENTS, _MAX_SLOW_EVENTS = 100, 20_000
"""Most events of a page while it projects slowly, and pending events with which it is as fast as possible again."""

_REST, _MAX_REST_S = 8.0, 0.5
"""The rest after such a page while few events are pending: relative to the time that the page took, and at most."""

_MAX_DELAY_S = 4.0
"""Longest time that events stay pending."""


class _Prefetch(NamedTuple, Generic[P]):
    """A page that is being read, and the position that was known to be recorded when reading began."""

    task: asyncio.Task[P]
    target: int


class Projector(Generic[P]):
    """Reads a page while it writes the one before, so that PostgreSQL and Python work at the same time."""

    def __init__(
        self,
        projection: LedgerProjection[P, Any],
        tracing: Tracing | None = None,
        gives_way_to: Projector[Any] | None = None,
    ) -> None:
        """Take what is projected. `tracing`: records a span for each page.

        `gives_way_to`: a projector in the same process. While a reader or a bulk writer waits for that one, and none
        for this one, each page waits, for _GIVE_WAY_S at most.
        """
        self._tracing = tracing
        self._gives_way_to = gives_way_to
        self._turn = asyncio.Event()
        """Is set whenever a page that gives way may have to go on."""
        self.turns_behind: list[asyncio.Event] = []
        """Those of the projectors that give way to this one."""
        if gives_way_to is not None:
            gives_way_to.turns_behind.append(self._turn)
        self._batches: deque[tuple[int, TraceContext]] = deque(maxlen=_MAX_BATCHES)
        """The spans of batches that are not projected yet, by their last positions."""
        self._projection = projection
        self._page_size = PageSize(projection.page_events)
        self._losses = 0
        self._projected = 0
        self._prioritized = 0
        self._appended = 0
        self._demand = ReaderDemand()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._on_progress: OnProgress | None = None
        self._slow = False
        """Whether it leaves the processors to others for most of the time."""
        self._following = False
        """Whether a newer version projects, and this process waits for it."""

    def start(self, on_progress: OnProgress) -> None:
        """Start; events that are not projected yet come first."""
        self._on_progress = on_progress
        self._task = asyncio.create_task(self._run(on_progress), name=f"projector of {self._projection.name}")

    async def close(self) -> None:
        """Stop at once, even within a page: a page is a transaction.

        While the database does not answer, the driver does not react to the cancellation either; then closing its
        connection ends the task.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CLOSE_S)

    def notify_appended(self, position: int) -> None:
        """Report that events were appended up to a position."""
        if position > self._appended:
            self._appended = position
            self._wake.set()

    def link(self, position: int, batch: TraceContext) -> None:
        """Name the span of the batch that ends at a position; the oldest are dropped when there are too many."""
        self._batches.append((position, batch))

    def prioritize(self, position: int) -> None:
        """Project up to a position at once: a reader waits for it."""
        if position > self._prioritized:  # else the same reader asks again
            self._demand.record_request(asyncio.get_running_loop().time())
            self._prioritized = position
            self._wake.set()
            self._turn.set()

    def pace(self, *, slow: bool) -> None:
        """Project small pages with rests from now on, or as fast as possible again.

        It is as fast as possible, too, while a reader or a bulk writer waits, or too many events are pending.
        """
        self._slow = slow
        self._turn.set()

    def status(self) -> ProjectorStatus:
        """Return whether the task runs."""
        return ProjectorStatus("it has ended" if self._task is None or self._task.done() else None, 0)

    def forget_positions(self) -> None:
        """Forget all positions; read the cursor of the catalog again at once."""
        self._projected = self._prioritized = self._appended = 0
        if self._on_progress is not None:
            self._on_progress(0)
        self._wake.set()

    @property
    def is_awaited(self) -> bool:
        """Whether a reader or a bulk writer waits for it."""
        return self._prioritized > self._projected

    async def _give_way(self) -> None:
        """Wait while somebody waits for the other projector and nobody for this one, for a limited time."""
        first = self._gives_way_to
        if first is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_GIVE_WAY_S):
                while first.is_awaited and not self.is_awaited:
                    self._turn.clear()
                    await self._turn.wait()

    @property
    def _may_rest(self) -> bool:
        return self._slow and not self.is_awaited and self._pending < _MAX_SLOW_EVENTS

    async def _rest(self, took: float) -> None:
        """Do nothing after a page for some time, the less the more events are pending, as long as that may be."""
        seconds = _REST * took * (1 - self._pending / _MAX_SLOW_EVENTS)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _MAX_REST_S)):
                while self._may_rest:
                    self._turn.clear()
                    await self._turn.wait()

    @property
    def _pending(self) -> int:
        """How many events are recorded and not projected, as far as is known."""
        return self._target - self._projected

    @property
    def _target(self) -> int:
        """The last position that is known to be recorded."""
        return max(self._prioritized, self._appended)

    async def _run(self, on_progress: OnProgress) -> None:
        await self._project(on_progress)
        while True:
            if not self.is_awaited:
                await self._work_when_idle()
                await self._wait_for_work()
                await self._wait_for_quiet()
            await self._project(on_progress)

    async def _wait_for_work(self) -> None:
        """Wait until it is woken; after an outage for a while only: its end is seen, and logged, by a statement."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_AFTER_OUTAGE_S if self._projection.connections.state.troubled else None):
                await self._wake.wait()
        self._wake.clear()

    async def _wait_for_quiet(self) -> None:
        """Let events accumulate while appends are dense, unless a reader waits or too many are pending."""
        is_high = self._demand.is_high(asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOW_LATENCY_S if is_high else _MAX_DELAY_S):
                while not self.is_awaited and self._appended - self._projected < _MAX_PENDING_EVENTS:
                    async with asyncio.timeout(_QUIET_S):
                        await self._wake.wait()
                    self._wake.clear()

    async def _project(self, on_progress: OnProgress) -> None:
        """Project to the known end of the ledger; at least a page, because other processes may have appended."""
        try:
            done = False
            while not done:
                done = await self._project_or_follow(on_progress)
        except DatabaseUnavailable:
            self._losses += 1
            if self._losses > _MAX_LOSSES:
                self._page_size.shrink(self._projected + 1)
            await self._retry_later()
        except Exception:  # noqa: BLE001  the task must outlive any failure
            _log.exception("%s could not be projected", self._projection.name)
            await self._retry_later()

    async def _project_or_follow(self, on_progress: OnProgress) -> bool:
        """Project; where a newer version projects, wait for it. Return False where a reader still waits."""
        try:
            done = await self._project_pages(on_progress)
        except (NewerCatalog, NewerRegisters) as newer:
            return await self._follow(newer, on_progress)
        if self._following:
            self._following = False
            _log.warning("this process projects %s again", self._projection.name)
        return done

    async def _follow(self, newer: NewerCatalog | NewerRegisters, on_progress: OnProgress) -> bool:
        """Leave the catalog to the processes of a newer version, and ask them for the position a reader waits for."""
        if not self._following:
            self._following = True
            _log.warning("this process no longer projects %s, and waits for others: %s", self._projection.name, newer)
        if isinstance(newer, NewerCatalog):
            self._advance(newer.position, on_progress)
        if not self.is_awaited:
            return True
        await request_projection(self._projection.connections, self._prioritized)
        await asyncio.sleep(_FOLLOW_S if isinstance(newer, NewerCatalog) else _QUIET_S)
        return False

    async def _work_when_idle(self) -> None:
        """Do what can wait while no reader does, for some time: then events may have to be projected."""
        clock = asyncio.get_running_loop().time
        end = clock() + _IDLE_WORK_S
        try:
            while not (self.is_awaited or self._slow):
                if not await self._projection.work_when_idle():
                    return
                if clock() >= end:
                    self._wake.set()
                    return
        except NewerCatalog:
            return  # they do it
        except DatabaseUnavailable:
            self._wake.set()
        except Exception:  # noqa: BLE001  the task must outlive any failure
            _log.exception("%s: work that can wait failed", self._projection.name)

    async def _retry_later(self) -> None:
        await asyncio.sleep(_QUIET_S)
        self._wake.set()

    async def _project_pages(self, on_progress: OnProgress) -> bool:
        """Project page after page from the cursor on. Return False where work is left behind the new cursor.

        A page that fails for another reason than the database is projected again in halves; the event that fails alone
        is set aside.
        """
        prefetch: _Prefetch[P] | None = None
        clock = asyncio.get_running_loop().time
        position = after = await self._projection.read_cursor()
        self._advance(position, on_progress)  # another process may have moved the cursor
        try:
            while True:
                current, prefetch = prefetch or self._read(position), None
                after, began = position, clock()
                page = await current.task
                if not page.events:
                    return self._finish(page.upto, current, on_progress)
                position = page.upto
                await self._give_way()
                if page.events >= _PREFETCH_EVENTS and not self._may_rest:
                    prefetch = self._read(position)
                with self._span(page):
                    written = await self._projection.write_page(page)
                if written is None:
                    return False  # another process moved the cursor
                self._losses = 0
                self._page_size.succeeded(position)
                self._advance(position, on_progress)
                if position >= max(written.end, self._target):
                    return True
                if self._may_rest:
                    await self._rest(clock() - began)
        except Exception as error:
            if not is_caused_by_page(error):
                raise
            await self._isolate(after, error)
            return False
        finally:
            if prefetch is not None:
                prefetch.task.cancel()
                await asyncio.gather(prefetch.task, return_exceptions=True)

    def _span(self, page: P) -> AbstractContextManager[None]:
        """Record the span of a page while the block runs."""
        if self._tracing is None:
            return nullcontext()
        batches = [batch for position, batch in self._batches if page.after < position <= page.upto]
        self._batches = deque((one for one in self._batches if one[0] > page.upto), maxlen=_MAX_BATCHES)
        return self._tracing.page(page.after, page.upto, batches)

    async def _isolate(self, after: int, error: Exception) -> None:
        """Make the pages after a position smaller; set the next event aside where it fails alone."""
        if not isinstance(error, PageTooLarge):
            _log.warning(
                "%s: a page of %d events after position %d cannot be projected",
                self._projection.name,
                self._page_size.events,
                after,
            )
        if not self._page_size.shrink(after + self._page_size.events):
            await self._projection.set_aside(after, error)

    def _read(self, after: int) -> _Prefetch[P]:
        events = min(self._page_size.events, _SLOW_PAGE_EVENTS) if self._may_rest else self._page_size.events
        task = asyncio.create_task(self._projection.read_page(after, events), name="page")
        return _Prefetch(task, self._target)

    def _finish(self, position: int, empty: _Prefetch[P], on_progress: OnProgress) -> bool:
        """Handle an empty page: the ledger ends at its position. Return whether no event behind it is known of.

        An append commits before it is reported here. So a target that has not grown since the page was requested does
        not exist in this ledger, and is dropped.
        """
        self._advance(position, on_progress)
        if self._target <= empty.target:
            self._prioritized = self._appended = position
        return self._target <= position

    def _advance(self, position: int, on_progress: OnProgress) -> None:
        self._projected = max(self._projected, position)
        for turn in self.turns_behind:
            turn.set()
        on_progress(self._projected)
