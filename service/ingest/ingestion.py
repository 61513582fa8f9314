"""Ingests streams of events: reads them one by one and appends them in batches.

A few batches are in flight while the next one is read, except those with events of the same run, which keep their
order. A caller that adds more waits, so that memory is bounded by the batches in flight, however long the stream is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from service.domain import timestamps
from service.domain.draft import Draft
from service.errors import RunfoldError, TooLarge, Unavailable
from service.ingest.event_reading import read_event
from service.ledger.bulk_appender import RecordedFact
from service.ledger.stream_order import StreamOrder
from service.payloads.event_slices import LeftOut
from service.payloads.openlineage import Origin
from service.payloads.splitters import RawEvent

_log = logging.getLogger(__name__)

Append = Callable[[Sequence[Draft]], Awaitable[Sequence[RecordedFact | RunfoldError]]]
"""Appends facts; item i of its result is an error where draft i was not recorded."""

_BATCH = 1_000
_BATCH_BYTES = 4 * 1024 * 1024
_IN_FLIGHT = 2

_MAX_DELAY_S = 0.5
"""Longest time that an event of a slow stream waits for others to fill its batch."""

_EVENTS_AT_ONCE = 100
"""Events read before other tasks of the event loop get their turn: about a millisecond."""

MAX_FAILURES = 1_000
"""Failures that are reported individually."""

_MAX_REASON = 1_000
"""Characters of a reason that are reported."""


class IngestionFailure(NamedTuple):
    """An event that was not recorded: its index in the stream, why, and whether sending it again may help."""

    place: int
    line: RawEvent
    reason: str
    retriable: bool


class Ingestion:
    """Appends one stream of events to the ledger, and counts what became of them."""

    def __init__(
        self,
        append: Append,
        origin: Origin,
        *,
        max_bytes: int,
        on_failure: Callable[[IngestionFailure], None] | None = None,
        left_out: LeftOut | None = None,
    ) -> None:
        """Take what appends, the events' origin and the limit of one in bytes; on_failure gets each failure.

        `left_out` counts the parts of events that could not be used.
        """
        self._append = append
        self._origin = origin
        self._max_bytes = max_bytes
        self._on_failure = on_failure
        self._left_out = left_out
        self._drafts: list[Draft] = []
        self._sources: list[tuple[int, RawEvent]] = []
        self._size = 0
        self._read_since_yield = 0
        self._in_flight: deque[asyncio.Task[None]] = deque()
        self._order = StreamOrder()
        self._size_in_flight = 0
        self._timer: asyncio.TimerHandle | None = None
        self.received = 0
        self.recorded = 0
        """Events that are in the ledger, including known ones."""
        self.known = 0
        """Events that had been recorded before."""
        self.failed = 0
        self.retriable = 0
        """Failed events that may be sent again."""
        self.retriable_reason = ""
        """Why the last of these failed."""
        self.failures: list[IngestionFailure] = []
        """The first MAX_FAILURES failures, without the events' text."""

    async def add(self, lines: Iterable[RawEvent]) -> None:
        """Add events; wait while too many are in flight."""
        now = timestamps.now()
        for line in lines:
            source = (self.received, line)
            self.received += 1
            try:
                draft = await self._read(line, now)
            except RunfoldError as error:
                self._fail(source, error)
            else:
                self._enqueue(draft, source)
                if len(self._drafts) >= _BATCH or self._size >= _BATCH_BYTES:
                    await self._send()
            self._read_since_yield += 1
            if self._read_since_yield >= _EVENTS_AT_ONCE:
                self._read_since_yield = 0
                await asyncio.sleep(0)

    @property
    def held_bytes(self) -> int:
        """The length of all events that are not appended yet."""
        return self._size + self._size_in_flight

    async def finish(self) -> None:
        """Append the remaining events, and wait for all batches."""
        await self._send()
        while self._in_flight:
            await self._in_flight.popleft()

    def _enqueue(self, draft: Draft, source: tuple[int, RawEvent]) -> None:
        if not self._drafts:
            self._timer = asyncio.get_running_loop().call_later(_MAX_DELAY_S, self._on_timer)
        self._drafts.append(draft)
        self._sources.append(source)
        self._size += len(draft.payload or "")

    async def _read(self, line: RawEvent, now: datetime) -> Draft:
        if line.text is None or len(line.text) > self._max_bytes:
            raise TooLarge(
                f"the event has more than {self._max_bytes} bytes; `runfold serve --max-event-bytes` sets the limit"
            )
        return await read_event(line.text, self._origin, now, self._left_out)

    async def _send(self) -> None:
        while len(self._in_flight) >= _IN_FLIGHT:
            await self._in_flight.popleft()
        self._start()

    def _on_timer(self) -> None:
        """Send a batch that has waited long enough, unless the most batches are in flight: then it waits on."""
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft()
        if len(self._in_flight) < _IN_FLIGHT:
            self._start()
        elif self._drafts:
            self._timer = asyncio.get_running_loop().call_later(_MAX_DELAY_S, self._on_timer)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._drafts:
            batch = self._record(self._drafts, self._sources, self._size)
            self._size_in_flight += self._size
            self._drafts, self._sources, self._size = [], [], 0
            self._in_flight.append(asyncio.create_task(batch, name="ingestion"))

    async def _record(self, drafts: list[Draft], sources: list[tuple[int, RawEvent]], size: int) -> None:
        try:
            async with self._order.turn(draft.stream for draft in drafts):
                results: Sequence[RecordedFact | RunfoldError] = await self._append(drafts)
        except RunfoldError as error:
            results = [error] * len(drafts)
        except Exception as error:  # noqa: BLE001  one batch must not end the stream
            _log.exception("a batch of %d failed", len(drafts))
            unknown = Unavailable(f"this may have been recorded or not; repeat it ({type(error).__name__})")
            results = [unknown] * len(drafts)
        finally:
            self._size_in_flight -= size
        for source, result in zip(sources, results, strict=True):
            if isinstance(result, RunfoldError):
                self._fail(source, result)
            else:
                self.recorded += 1
                self.known += result.recorded_at is None

    def _fail(self, source: tuple[int, RawEvent], error: RunfoldError) -> None:
        place, line = source
        failure = IngestionFailure(place, line, error.detail[:_MAX_REASON], isinstance(error, Unavailable))
        self.failed += 1
        if failure.retriable:
            self.retriable += 1
            self.retriable_reason = failure.reason
        if len(self.failures) < MAX_FAILURES:
            # Without the text: a thousand of them could be large.
            self.failures.append(failure._replace(line=RawEvent(line.number, None)))
        if self._on_failure is not None:
            self._on_failure(failure)
