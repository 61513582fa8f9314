"""Group commit: requests queue commands and facts, one writer appends them in batches, and each caller gets its result.

A batch is read, decided and appended in two round trips; items that arrive meanwhile form the next batch. A second
writer would only make batches smaller, because both would wait for the same ledger head
(docs/decisions/0012-one-writer.md). With one writer, commands on a run never race within a process.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from operator import attrgetter
from sys import getsizeof
from typing import NamedTuple
from uuid import UUID

from service.database.connections import Connections
from service.domain.binding import Binding
from service.domain.decisions import Command, Decision
from service.domain.draft import Draft
from service.domain.event import Subject
from service.errors import ClockAhead, DatabaseUnavailable, Invalid, Overloaded, RunfoldError, Unavailable, ValueRefused
from service.ledger.append_health import AppendHealth
from service.ledger.batch import OUTCOME_UNKNOWN, AppendBatch, AppendResult, OnAppend, PendingAppend, requeue_or_fail
from service.ledger.bulk_appender import BulkAppender, RecordedFact, Throttle, no_throttle
from service.ledger.expiry import expire
from service.ledger.ledger_end import LedgerEnd
from service.ledger.repeats import RepeatLookup
from service.ledger.run_cache import RunCache
from service.tracing import Tracing

_log = logging.getLogger(__name__)

_BATCH_BYTES = 8 * 1024 * 1024
_PAUSE_AFTER_LOSS_S = 0.2

_COPIES = 3
"""A payload is in memory as the body that was received, as text, and as decoded facets, until it is recorded."""

CatchUp = Callable[[], Awaitable[None]]
"""Waits until the catalog is projected up to the last event that was recorded before the call."""


async def _do_nothing() -> None:
    """Return at once: there is no catalog to wait for."""


class QueueLimits(NamedTuple):
    """The bounds of an appender's queue.

    items: items that may wait; bytes: memory of the payloads that wait or are being appended, except that one is always
    taken; batch: items that are appended at once.
    """

    items: int = 10_000
    bytes: int = 64 * 1024 * 1024
    batch: int = 500


_QUEUE_LIMITS = QueueLimits()


class Appender:
    """Appends commands and facts. A result is set only after its commit."""

    def __init__(  # noqa: PLR0913  what it works with
        self,
        connections: Connections,
        bulk_connections: Connections | None = None,
        lookups: Connections | None = None,
        *,
        limits: QueueLimits = _QUEUE_LIMITS,
        on_append: OnAppend = lambda _position, _events: None,
        throttle: Throttle = no_throttle,
        catch_up: CatchUp = _do_nothing,
        end: LedgerEnd | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Take the writer's connection, those for facts in bulk and those for look-ups (None: the writer's is used).

        on_append: is called after each commit; throttle: limits bulk appends; catch_up: see CatchUp.
        end: what this process knows of the ledger's end; tracing: records spans of batches and commits.

        A command or fact fails when it has waited as long as a statement of the connections may take.
        """
        self._end = end or LedgerEnd()
        self._losses = self._end.losses
        self._limit_s = connections.command_timeout_s
        self._in_flight: list[PendingAppend] = []
        self._expiry: asyncio.Task[None] | None = None
        self._connections = connections
        self._limits = limits
        self._tracing = tracing
        self.health = AppendHealth(tracing)
        self._on_append = self._succeeding(on_append)
        self._catch_up = catch_up
        self._bulk = BulkAppender(
            bulk_connections or connections,
            max_batch=limits.batch,
            on_append=self._on_append,
            throttle=throttle,
            health=self.health,
            end=self._end,
        )
        self._repeats = RepeatLookup(lookups or connections)
        self._run_cache = RunCache()
        self._waiting: deque[PendingAppend] = deque()
        self.held_bytes = 0
        """Memory of the payloads that wait or are being appended."""
        self._idle: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    def _succeeding(self, on_append: OnAppend) -> OnAppend:
        """Return a function that also records that the database takes appends."""

        def appended(position: int, events: int) -> None:
            self.health.succeeded()
            on_append(position, events)

        return appended

    @property
    def depth(self) -> int:
        """Number of waiting items."""
        return len(self._waiting) + self._repeats.depth

    @property
    def saturation(self) -> float:
        """How full the queue is: 0 is empty; from 1 on, the next item is rejected."""
        return max(self.depth / self._limits.items, self.held_bytes / self._limits.bytes)

    @property
    def full(self) -> bool:
        """Whether the next item would be rejected."""
        return self.saturation >= 1

    def start(self) -> None:
        """Start the writer."""
        self._writer = asyncio.create_task(self._write(), name="appender")
        self._expiry = asyncio.create_task(
            expire(self._limit_s, self._pending, OUTCOME_UNKNOWN), name="appender expiry"
        )

    async def drain(self) -> None:
        """Reject new items, append those that wait, stop the writer."""
        self._closing = True
        self._wake()
        if self._writer is not None:
            await self._writer
        await self._repeats.drain()
        if self._expiry is not None:
            self._expiry.cancel()

    def _pending(self) -> Iterator[asyncio.Future[AppendResult]]:
        """Yield the futures of all items that wait or are being appended or looked up."""
        yield from (item.future for items in (self._in_flight, self._waiting) for item in items)
        yield from self._repeats.pending()

    def command(self, draft: Draft, command: Command) -> asyncio.Future[AppendResult]:
        """Append the draft if the command, by the stream's state, decides APPEND. Raises Overloaded and Unavailable."""
        return self._submit(PendingAppend(draft, command, asyncio.get_running_loop().create_future()))

    async def command_below(
        self, draft: Draft, command: Command, parent: tuple[Subject, UUID], *, new_stream: bool = False
    ) -> AppendResult:
        """Append the draft like `command`, if its parent exists: the job of a run, the namespace of a job.

        A parent that the catalog does not have may have been recorded a moment ago: the catalog catches up once before
        the decision is PARENT_UNKNOWN. `new_stream`: the stream's id is new, so there is no state to read.
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
        """Append the draft unless its stream has the fact. Raises Overloaded and Unavailable."""
        return self._submit(PendingAppend(draft, None, asyncio.get_running_loop().create_future()))

    async def bulk(self, drafts: Sequence[Draft], binding: Binding | None = None) -> list[RecordedFact | RunfoldError]:
        """Append many facts. Returns a result for each, in order. `binding`: see BulkAppender.append."""
        return await self._bulk.append(drafts, binding)

    def _submit(self, item: PendingAppend) -> asyncio.Future[AppendResult]:
        if self._closing:
            raise Unavailable("the service is shutting down; nothing was recorded")
        self._connections.state.raise_if_down()
        if self.depth >= self._limits.items:
            raise Overloaded(f"{self._limits.items} requests are waiting already; nothing was recorded")
        size = _memory_of(item)
        if size and self.held_bytes and self.held_bytes + size > self._limits.bytes:
            raise Overloaded(f"the requests that wait take {self.held_bytes} bytes already; nothing was recorded")
        if self._tracing is not None:
            item.span = self._tracing.current_span()
        item.held_bytes = size
        self.held_bytes += size
        self._waiting.append(item)
        if self._idle is not None:
            self._wake()
        return item.future

    def _wake(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def _write(self) -> None:
        while True:
            batch = self._take()
            if batch:
                await self._append_batch(batch)
            elif self._closing:
                return
            else:
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle

    def _take(self) -> list[PendingAppend]:
        """Remove the next batch from the queue, oldest items first."""
        batch: list[PendingAppend] = []
        size = 0
        while self._waiting and len(batch) < self._limits.batch and size < _BATCH_BYTES:
            item = self._waiting.popleft()
            if item.expired:
                self.held_bytes -= item.held_bytes
                continue
            batch.append(item)
            if item.draft.payload is not None:
                size += len(item.draft.payload)
        return batch

    async def _append_batch(self, batch: list[PendingAppend]) -> None:
        self._in_flight = batch
        try:
            with self._tracing.batch(item.span for item in batch) if self._tracing is not None else nullcontext():
                requeued = await self._bisect(batch)
        except Exception as error:  # noqa: BLE001  an error of one batch must not end the writer
            _log.exception("a batch of %d items failed", len(batch))
            requeued = []
            _fail(batch, error)
        self._in_flight = []
        self.held_bytes -= sum(map(_held_by, batch)) - sum(map(_held_by, requeued))
        self._waiting.extendleft(reversed(requeued))

    async def _bisect(self, batch: list[PendingAppend]) -> list[PendingAppend]:
        """Append a batch; if PostgreSQL refuses a value, find its item by bisection. Returns the items to try again."""
        self._forget_lost_states()
        attempt = AppendBatch(batch, self._run_cache, self._end, self.health)
        try:
            requeued = await attempt.execute(self._connections, self._on_append)
        except ValueRefused as error:
            if len(batch) == 1:
                batch[0].fail(Invalid(f"this cannot be recorded: {error.reason}"))
                return []
            for item in batch:
                item.reset_attempt()
            middle = len(batch) // 2
            return await self._bisect(batch[:middle]) + await self._bisect(batch[middle:])
        except ClockAhead as error:
            for item in batch:
                item.fail(error)
            return []
        except DatabaseUnavailable as error:
            self.health.failed(error)
            await asyncio.sleep(_PAUSE_AFTER_LOSS_S)
            return requeue_or_fail(batch, error)
        self._repeats.add(attempt.refused)
        self._forget_lost_states()
        return requeued

    def _forget_lost_states(self) -> None:
        """Empty the run cache after the ledger lost its tail: its states may be those of lost events."""
        if self._losses != self._end.losses:
            self._losses = self._end.losses
            self._run_cache.clear()


def _memory_of(item: PendingAppend) -> int:
    """Return the bytes of memory that an item's payload takes.

    They grow when the driver encodes text that is not ASCII, because Python keeps the encoded text beside it.
    """
    payload = item.original.payload
    return 0 if payload is None else _COPIES * getsizeof(payload)


_held_by = attrgetter("held_bytes")


def _fail(batch: list[PendingAppend], error: Exception) -> None:
    for item in batch:
        item.fail(Unavailable(f"{OUTCOME_UNKNOWN} ({type(error).__name__})"))
