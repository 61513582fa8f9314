"""The end of the ledger as it grows, read once for all who listen.

One task a process reads what was appended and keeps the latest of it. Whoever listens takes from that at their own pace
and reads the ledger themselves when they fell behind it, so nobody waits for anybody. Appends of this process wake the
task; those of others it sees by asking a few times a second, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import NamedTuple, Self

from service.audit.event_text import sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader, RecordedEvent
from service.errors import Unavailable

_log = logging.getLogger(__name__)

_ASK_S = 0.1
"""Seconds between two looks for what other processes appended."""

_PAGE = 1000
_KEPT_BYTES = 16 * 1024 * 1024
_KEPT_BATCHES = 256
_PAUSE_AFTER_LOSS = 0.5


class TailBatch:
    """What one look found, and what of it each filter lets through, worked out once for all who ask alike."""

    def __init__(self, after: int, upto: int, events: list[RecordedEvent]) -> None:
        """Take the events after one position and up to another."""
        self.after = after
        self.upto = upto
        self.size = sum(len(event.text) for event in events)
        self._events = events
        self._framed: dict[EventFilters, bytes] = {}

    def framed(self, filters: EventFilters, after: int) -> bytes:
        """Return the events of a filter that lie after a position, as server-sent events; may be empty."""
        if after > self.after:
            return self._frame(filters, after)
        found = self._framed.get(filters)
        if found is None:
            found = self._framed[filters] = self._frame(filters, after)
        return found

    def _frame(self, filters: EventFilters, after: int) -> bytes:
        wanted = [event for event in self._events if event.position > after and filters.match(event.traits)]
        return b"".join([sse_frame(event.position, event.text) for event in wanted])


class TailSlice(NamedTuple):
    """What a listener gets: batches without a gap; `behind` where the first is not kept any more."""

    batches: list[TailBatch]
    behind: bool


class LedgerTail:
    """The task of this process that reads the end of the ledger while somebody listens."""

    def __init__(self, audit: LedgerReader) -> None:
        """Take what reads the ledger."""
        self._audit = audit
        self._kept: deque[TailBatch] = deque()
        self._kept_size = 0
        self._position = -1
        self.listeners = 0
        """How many listen."""
        self._wake = asyncio.Event()
        self._moved: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.closing = False

    def start(self) -> None:
        """Start; nothing is read before somebody listens."""
        self._moved = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="tail")

    async def close(self) -> None:
        """Stop; whoever listens hears of it."""
        self.disconnect_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def disconnect_all(self) -> None:
        """Let all listeners go."""
        self.closing = True
        self._tell()

    def appended(self, _position: int) -> None:
        """Hear that this process appended."""
        if self.listeners:
            self._wake.set()

    def __enter__(self) -> Self:
        """Count a listener in."""
        self.listeners += 1
        self._wake.set()
        return self

    def __exit__(self, *_: object) -> None:
        """Count a listener out; behind the last one nothing is kept."""
        self.listeners -= 1

    def since(self, position: int) -> TailSlice:
        """Return what is kept of what came after a position."""
        if self._position < position:
            return TailSlice([], behind=False)
        if not self._kept or self._kept[0].after > position:
            return TailSlice([], behind=self._position > position)
        return TailSlice([batch for batch in self._kept if batch.upto > position], behind=False)

    async def wait(self, position: int, seconds: float) -> bool:
        """Wait until there is something after a position, for a while; tell whether there is."""
        try:
            async with asyncio.timeout(seconds):
                while self._position <= position and not self.closing:
                    assert self._moved is not None  # noqa: S101  start() comes before any listener
                    await asyncio.shield(self._moved)
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        while True:
            if not self.listeners:
                self._forget()
                await self._wake.wait()
            self._wake.clear()
            try:
                full = await self._look()
            except Unavailable:
                full = False
                await asyncio.sleep(_PAUSE_AFTER_LOSS)
            except Exception:  # noqa: BLE001  the task must outlive whatever happens to one look
                _log.exception("the end of the ledger could not be read")
                full = False
                await asyncio.sleep(_PAUSE_AFTER_LOSS)
            if not full and self.listeners:
                await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(_ASK_S):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _look(self) -> bool:
        """Read what came; return whether there may be more."""
        if self._position < 0:
            self._position = (await self._audit.head()).position
            self._tell()
            return False
        events = await self._audit.recorded_after(self._position, _PAGE)
        if not events:
            return False
        batch = TailBatch(self._position, events[-1].position, events)
        self._keep(batch)
        self._position = batch.upto
        self._tell()
        return len(events) == _PAGE

    def _keep(self, batch: TailBatch) -> None:
        self._kept.append(batch)
        self._kept_size += batch.size
        while len(self._kept) > 1 and (self._kept_size > _KEPT_BYTES or len(self._kept) > _KEPT_BATCHES):
            self._kept_size -= self._kept.popleft().size

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_size = 0
        self._position = -1

    def _tell(self) -> None:
        moved = self._moved
        if moved is None:
            return
        self._moved = asyncio.get_running_loop().create_future()
        if not moved.done():
            moved.set_result(None)
