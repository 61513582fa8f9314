"""Many events at once: read one by one, appended in batches, a few of which are in flight while the next is read.

Whoever has more to bring waits; what is held is bounded by the batches in flight, however long the stream is.
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
from service.ledger.bulk_appender import RecordedFact
from service.payloads import openlineage
from service.payloads.openlineage import Origin
from service.payloads.splitters import RawEvent

_log = logging.getLogger(__name__)

Append = Callable[[Sequence[Draft]], Awaitable[Sequence[RecordedFact | RunfoldError]]]
"""Appends facts; item i of what it returns is an error where draft i was not recorded."""

_BATCH = 1_000
_BATCH_BYTES = 4 * 1024 * 1024
_IN_FLIGHT = 2

_PATIENCE = 0.5
"""Seconds that an event of a slow stream waits for others to share its batch."""

_BREATH = 100
"""Events read before other requests get their turn: about a millisecond."""

MAX_FAILURES = 1_000
"""How many failures are told one by one."""


class IngestionFailure(NamedTuple):
    """An event that was not recorded: which one, counted from 0, why, and whether sending it again may help."""

    place: int
    line: RawEvent
    reason: str
    retriable: bool


class Ingestion:
    """One stream of events on its way into the ledger."""

    def __init__(
        self,
        append: Append,
        origin: Origin,
        *,
        max_bytes: int,
        on_failure: Callable[[IngestionFailure], None] | None = None,
    ) -> None:
        """Take what appends, where the events come from, how large one may be, and who hears of each failure."""
        self._append = append
        self._origin = origin
        self._max_bytes = max_bytes
        self._on_failure = on_failure
        self._drafts: list[Draft] = []
        self._sources: list[tuple[int, RawEvent]] = []
        self._size = 0
        self._since_breath = 0
        self._in_flight: deque[asyncio.Task[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.received = 0
        self.recorded = 0
        self.known = 0
        self.failed = 0
        self.retriable = 0
        self.failures: list[IngestionFailure] = []

    async def add(self, lines: Iterable[RawEvent]) -> None:
        """Take events; wait while too many are under way."""
        now = timestamps.now()
        for line in lines:
            source = (self.received, line)
            self.received += 1
            try:
                draft = self._read(line, now)
            except RunfoldError as error:
                self._fail(source, error)
            else:
                self._hold(draft, source)
                if len(self._drafts) >= _BATCH or self._size >= _BATCH_BYTES:
                    await self._send()
            self._since_breath += 1
            if self._since_breath >= _BREATH:
                self._since_breath = 0
                await asyncio.sleep(0)

    async def finish(self) -> None:
        """Send what is left and wait for all of it."""
        await self._send()
        while self._in_flight:
            await self._in_flight.popleft()

    def _hold(self, draft: Draft, source: tuple[int, RawEvent]) -> None:
        if not self._drafts:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._tick)
        self._drafts.append(draft)
        self._sources.append(source)
        self._size += len(draft.payload or "")

    def _read(self, line: RawEvent, now: datetime) -> Draft:
        if line.text is None or len(line.text) > self._max_bytes:
            raise TooLarge(f"the event has more than {self._max_bytes} bytes")
        return openlineage.read_lineage_event(line.text, self._origin, now)

    async def _send(self) -> None:
        while len(self._in_flight) >= _IN_FLIGHT:
            await self._in_flight.popleft()
        self._start()

    def _tick(self) -> None:
        """Send what has waited long enough, unless as much as may be is under way; then whoever adds waits, too."""
        while self._in_flight and self._in_flight[0].done():
            self._in_flight.popleft()
        if len(self._in_flight) < _IN_FLIGHT:
            self._start()
        elif self._drafts:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._tick)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._drafts:
            recording = self._record(self._drafts, self._sources)
            self._drafts, self._sources, self._size = [], [], 0
            self._in_flight.append(asyncio.create_task(recording, name="ingestion"))

    async def _record(self, drafts: list[Draft], sources: list[tuple[int, RawEvent]]) -> None:
        try:
            results: Sequence[RecordedFact | RunfoldError] = await self._append(drafts)
        except RunfoldError as error:
            results = [error] * len(drafts)
        except Exception as error:  # noqa: BLE001  the rest of the stream must not suffer from one batch
            _log.exception("a batch of %d failed", len(drafts))
            lost = Unavailable(f"this may have been recorded or not; it is safe to repeat ({type(error).__name__})")
            results = [lost] * len(drafts)
        for source, result in zip(sources, results, strict=True):
            if isinstance(result, RunfoldError):
                self._fail(source, result)
            else:
                self.recorded += 1
                self.known += result.recorded_at is None

    def _fail(self, source: tuple[int, RawEvent], error: RunfoldError) -> None:
        place, line = source
        failure = IngestionFailure(place, line, error.detail, isinstance(error, Unavailable))
        self.failed += 1
        self.retriable += failure.retriable
        if len(self.failures) < MAX_FAILURES:
            # Without the bytes: a thousand of them could be large.
            self.failures.append(failure._replace(line=RawEvent(line.number, None)))
        if self._on_failure is not None:
            self._on_failure(failure)
