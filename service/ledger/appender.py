"""Group commit: requests hand in what they have, one writer appends it in batches, each caller awaits its answer.

A batch is read, decided and appended in two round trips; what comes in meanwhile is the next one. A second writer would
only make batches smaller, for both would wait for the same head (docs/decisions/0012-one-writer.md); and with one,
commands on a run never race within a process.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from service.database.connections import Connections
from service.domain.decisions import Command, Decision
from service.domain.draft import Draft
from service.domain.event import Subject
from service.errors import DatabaseUnavailable, Invalid, Overloaded, RunfoldError, Unavailable, ValueRefused
from service.ledger.batch import AppendBatch, AppendResult, OnAppend, PendingAppend, requeue_or_fail
from service.ledger.bulk_appender import BulkAppender, RecordedFact, Throttle, no_throttle
from service.ledger.run_cache import RunCache

_log = logging.getLogger(__name__)

_BATCH_BYTES = 8 * 1024 * 1024
_PAUSE_AFTER_LOSS = 0.2


CatchUp = Callable[[], Awaitable[None]]
"""Waits until the catalog holds everything that was recorded before the call."""


async def _do_nothing() -> None:
    """Wait for nothing: without a catalog, what is not known now is not known."""


class Appender:
    """Appends what it is given, durably, before anyone is answered."""

    def __init__(
        self,
        connections: Connections,
        bulk_connections: Connections | None = None,
        *,
        capacity: int = 10_000,
        max_batch: int = 500,
        on_append: OnAppend = lambda _position, _events: None,
        throttle: Throttle = no_throttle,
        catch_up: CatchUp = _do_nothing,
    ) -> None:
        """Take the writer's connection, those for facts in bulk, how many items may wait, and how many make a batch.

        Without connections of their own, facts in bulk share the writer's.
        """
        self._connections = connections
        self._capacity = capacity
        self._max_batch = max_batch
        self._on_append = on_append
        self._catch_up = catch_up
        self._bulk = BulkAppender(
            bulk_connections or connections, max_batch=max_batch, on_append=on_append, throttle=throttle
        )
        self._recent = RunCache()
        self._waiting: deque[PendingAppend] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def depth(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether the next item would be turned away."""
        return len(self._waiting) >= self._capacity

    def start(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write(), name="appender")

    async def drain(self) -> None:
        """Take nothing more, finish what waits, stop the writer."""
        self._closing = True
        self._wake()
        if self._writer is not None:
            await self._writer

    def command(self, draft: Draft, command: Command) -> asyncio.Future[AppendResult]:
        """Append the draft if the command, given the stream's state, decides so."""
        return self._submit(PendingAppend(draft, command, asyncio.get_running_loop().create_future()))

    async def command_below(
        self, draft: Draft, command: Command, parent: tuple[Subject, UUID], *, new_stream: bool = False
    ) -> AppendResult:
        """Append the draft as `command` does, if its parent is known: the job of a run, the namespace of a job.

        A parent that the catalog does not hold may have been recorded a moment ago: the catalog catches up once, then
        the decision is PARENT_UNKNOWN. `new_stream`: the stream's id was made just now, so there is nothing to read.
        """
        for attempt in (1, 2):
            future: asyncio.Future[AppendResult] = asyncio.get_running_loop().create_future()
            item = PendingAppend(draft, command, future, parent=(parent[0], parent[1].int), new_stream=new_stream)
            result = await self._submit(item)
            if result.decision is not Decision.PARENT_UNKNOWN:
                break
            if attempt == 1:
                await self._catch_up()
        return result

    def fact(self, draft: Draft) -> asyncio.Future[AppendResult]:
        """Append the draft unless its stream knows it already."""
        return self._submit(PendingAppend(draft, None, asyncio.get_running_loop().create_future()))

    async def bulk(self, drafts: Sequence[Draft]) -> list[RecordedFact | RunfoldError]:
        """Append many facts; waits where others' are under way, and says of each what became of it."""
        return await self._bulk.append(drafts)

    def _submit(self, item: PendingAppend) -> asyncio.Future[AppendResult]:
        if self._closing:
            raise Unavailable("the service is shutting down; nothing was recorded")
        if len(self._waiting) >= self._capacity:
            raise Overloaded(f"{self._capacity} requests are waiting already; nothing was recorded")
        self._waiting.append(item)
        if self._idle is not None:
            self._wake()
        return item.answer

    def _wake(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def _write(self) -> None:
        while True:
            batch = self._take()
            if batch:
                await self._carry_out(batch)
            elif self._closing:
                return
            else:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle

    def _take(self) -> list[PendingAppend]:
        """Take what waits, oldest first."""
        batch: list[PendingAppend] = []
        size = 0
        while self._waiting and len(batch) < self._max_batch and size < _BATCH_BYTES:
            item = self._waiting.popleft()
            batch.append(item)
            if item.draft.payload is not None:
                size += len(item.draft.payload)
        return batch

    async def _carry_out(self, batch: list[PendingAppend]) -> None:
        try:
            back = await self._bisect(batch)
        except Exception as error:  # noqa: BLE001  the writer must outlive whatever happens to one batch
            _log.exception("a batch of %d failed", len(batch))
            back = _give_up(batch, error)
        self._waiting.extendleft(reversed(back))

    async def _bisect(self, batch: list[PendingAppend]) -> list[PendingAppend]:
        """Carry a batch out; where PostgreSQL refuses a value, find whose it is. Returns what must go round again."""
        try:
            return await AppendBatch(batch, self._recent).carry_out(self._connections, self._on_append)
        except ValueRefused as error:
            if len(batch) == 1:
                batch[0].fail(Invalid(f"this cannot be recorded: {error}"))
                return []
            for item in batch:
                item.reset_attempt()
            middle = len(batch) // 2
            return await self._bisect(batch[:middle]) + await self._bisect(batch[middle:])
        except DatabaseUnavailable:
            await asyncio.sleep(_PAUSE_AFTER_LOSS)
            return requeue_or_fail(batch)


def _give_up(batch: list[PendingAppend], error: Exception) -> list[PendingAppend]:
    for item in batch:
        item.fail(Unavailable(f"this may have been recorded or not; it is safe to repeat ({type(error).__name__})"))
    return []
