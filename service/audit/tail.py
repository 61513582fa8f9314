"""Follows the end of the ledger, reading each event once for all listeners of a process.

One task reads new events and keeps the latest batches. A listener takes batches at its own pace; one that
has fallen behind them reads the ledger itself, so that no listener waits for another. Appends of this process wake the
task. Appends of other processes are found by polling a few times a second, while there are listeners.

A process has two such tasks: one for listeners that get every event with its payload, at once, and one for those that
get in brief, once a second at most, what was recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Self

from service.audit.event_text import brief_frame, sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader, RecordedEvent
from service.domain.event import Kind
from service.errors import Unavailable

_log = logging.getLogger(__name__)

_POLL_S = 0.1
"""Seconds between two queries for events of other processes."""

_PAUSE_PER_LISTENER_S, _MOST_PAUSE_S = 0.001, 0.25
"""Seconds between two batches: the more listeners there are, the more events a batch has, so that a thousand writes a
second reach all of them. Each write takes as long, however many events it has."""

_BRIEF_PAUSE_S, _BRIEF_PAUSE_PER_LISTENER_S, _MOST_BRIEF_PAUSE_S = 1.0, 0.01, 3.0
"""Seconds between two batches in brief: with a few listeners, for each more, and at most. What a second of any number
of listeners costs is then bounded by some 300 writes, and a page shows what happened 3 s ago at the latest."""

_PAGE = 1000
"""Most events in a batch."""

_KEPT_BYTES = 16 * 1024 * 1024
_KEPT_BATCHES = 256

_FRAMES_RATIO = 2
"""The forms that a batch keeps for filters take at most this many times its own size; more are made each time."""

_RETRY_DELAY_S = 0.5


class Form(NamedTuple):
    """What listeners get: how events are read, as server-sent events, and at which intervals.

    `read` takes a position and the most events to read after it; `frames` the events that match, at least one, and the
    position up to which they were read; `pause_s` the number of listeners.
    """

    read: Callable[[LedgerReader, int, int], Awaitable[list[RecordedEvent]]]
    frames: Callable[[Sequence[RecordedEvent], int], bytes]
    pause_s: Callable[[int], float]


def _each_event(events: Sequence[RecordedEvent], _upto: int) -> bytes:
    return b"".join([sse_frame(event.position, event.text) for event in events])


def _in_brief(events: Sequence[RecordedEvent], upto: int) -> bytes:
    transitions = sum(event.fields.kind == Kind.TRANSITION for event in events)
    return brief_frame(upto, [event.text for event in events], transitions)


def _pause_s(listeners: int) -> float:
    return min(_MOST_PAUSE_S, listeners * _PAUSE_PER_LISTENER_S)


def _brief_pause_s(listeners: int) -> float:
    return min(_MOST_BRIEF_PAUSE_S, _BRIEF_PAUSE_S + listeners * _BRIEF_PAUSE_PER_LISTENER_S)


WHOLE_EVENTS = Form(LedgerReader.recorded_after, _each_event, _pause_s)
"""Each event is sent as it is recorded."""

BRIEFS = Form(LedgerReader.briefs_after, _in_brief, _brief_pause_s)
"""It is sent how many events were recorded, and what the last of them are about."""


class TailBatch:
    """Consecutive events, and their server-sent form by filter, made once for all listeners with that filter.

    Filters that differ in the order of their values are different here: callers sort them.
    """

    def __init__(
        self,
        after: int,
        upto: int,
        events: list[RecordedEvent],
        form: Form = WHOLE_EVENTS,
    ) -> None:
        """Take the events after one position and up to another, and the form in which they are sent."""
        self.after = after
        self.upto = upto
        self._form = form
        self.size = sum(len(event.text) for event in events)
        self._events = events
        self._frames: dict[EventFilters, bytes] = {}
        self._frames_size = 0

    def sse_frames(self, filters: EventFilters, after: int) -> bytes:
        """Return the events of a filter after a position, as server-sent events; may be empty."""
        if after > self.after:
            return self._make_frames(filters, after)
        frames = self._frames.get(filters)
        if frames is None:
            frames = self._make_frames(filters, after)
            if self._frames_size + len(frames) <= self.size * _FRAMES_RATIO:
                self._frames[filters] = frames
                self._frames_size += len(frames)
        return frames

    def _make_frames(self, filters: EventFilters, after: int) -> bytes:
        matching = [event for event in self._events if event.position > after and filters.match(event.fields)]
        return self._form.frames(matching, self.upto) if matching else b""


class TailSlice(NamedTuple):
    """Batches for a listener, without a gap; `behind`: the events that it needs first are no longer kept."""

    batches: list[TailBatch]
    behind: bool


class LedgerTail:
    """A task of this process that reads the end of the ledger while there are listeners."""

    def __init__(self, reader: LedgerReader, form: Form) -> None:
        """Take the reader of the ledger, and what listeners get."""
        self._reader = reader
        self._form = form
        self._kept: deque[TailBatch] = deque()
        self._kept_size = 0
        self._position = -1
        self.listeners = 0
        """Number of listeners."""
        self._wake = asyncio.Event()
        self._progress: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.closing = False
        self.generation = 0
        """Grows whenever all listeners have to end because the ledger lost its tail."""

    def start(self) -> None:
        """Start; nothing is read before there is a listener."""
        self._progress = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="tail")

    async def close(self) -> None:
        """Stop, after disconnecting all listeners."""
        self.disconnect_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def disconnect_all(self) -> None:
        """Wake all listeners; `closing` tells them to end."""
        self.closing = True
        self._notify()

    def forget_positions(self) -> None:
        """End all listeners: the ledger has lost its tail, and their places may lie beyond its end.

        A listener that resumes from such a place is refused; any other one goes on.
        """
        self.generation += 1
        self._clear()
        self._notify()
        self._wake.set()

    def notify_appended(self, _position: int) -> None:
        """Report that this process appended events."""
        if self.listeners:
            self._wake.set()

    def __enter__(self) -> Self:
        """Add a listener."""
        self.listeners += 1
        self._wake.set()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove a listener; after the last one, all batches are dropped."""
        self.listeners -= 1

    def read_after(self, position: int) -> TailSlice:
        """Return the batches with events after a position."""
        if self._position < position:
            return TailSlice([], behind=False)
        if not self._kept or self._kept[0].after > position:
            return TailSlice([], behind=self._position > position)
        return TailSlice([batch for batch in self._kept if batch.upto > position], behind=False)

    async def read_ledger(self, position: int) -> TailBatch | None:
        """Return the first events after a position, read from the ledger for one listener; None: there are none."""
        events = await self._form.read(self._reader, position, _PAGE)
        return TailBatch(position, events[-1].position, events, self._form) if events else None

    async def wait(self, position: int, seconds: float, gone: asyncio.Future[None]) -> None:
        """Wait for an event after a position, for an end, until the listener is gone, or for some seconds."""
        generation, loop = self.generation, asyncio.get_running_loop()
        end = loop.time() + seconds
        while (
            self._position <= position
            and not (self.closing or gone.done() or self.generation != generation)
            and (left := end - loop.time()) > 0
        ):
            assert self._progress is not None  # noqa: S101  start() comes before any listener
            await asyncio.wait((self._progress, gone), timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self) -> None:
        while True:
            if not self.listeners:
                self._clear()
                await self._wake.wait()
            self._wake.clear()
            read = 0
            try:
                read = await self._read_next()
            except Unavailable:
                await asyncio.sleep(_RETRY_DELAY_S)
            except Exception:  # noqa: BLE001  the task must outlive any failure of one query
                _log.exception("the end of the ledger could not be read")
                await asyncio.sleep(_RETRY_DELAY_S)
            if read < _PAGE and self.listeners:
                if read:
                    await asyncio.sleep(self._form.pause_s(self.listeners))
                await self._wait_for_work()

    async def _wait_for_work(self) -> None:
        try:
            async with asyncio.timeout(_POLL_S):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _read_next(self) -> int:
        """Read the next batch; return how many events it has. After a whole page there may be more."""
        generation = self.generation
        if self._position < 0:
            position = (await self._reader.head()).position
            if self.generation == generation:
                self._position = position
                self._notify()
            return 0
        batch = await self.read_ledger(self._position)
        if batch is None or self.generation != generation:
            return 0
        self._retain(batch)
        self._position = batch.upto
        self._notify()
        return batch.upto - batch.after

    def _retain(self, batch: TailBatch) -> None:
        self._kept.append(batch)
        self._kept_size += batch.size
        while len(self._kept) > 1 and (self._kept_size > _KEPT_BYTES or len(self._kept) > _KEPT_BATCHES):
            self._kept_size -= self._kept.popleft().size

    def _clear(self) -> None:
        self._kept.clear()
        self._kept_size = 0
        self._position = -1

    def _notify(self) -> None:
        progress = self._progress
        if progress is None:
            return
        self._progress = asyncio.get_running_loop().create_future()
        if not progress.done():
            progress.set_result(None)
