"""Appends facts in bulk, over connections of their own: a stream of events does not delay commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from service.database.connections import Connections
from service.domain.draft import Draft
from service.errors import ClockAhead, DatabaseUnavailable, Invalid, RunfoldError, ValueRefused
from service.ledger.append_health import AppendHealth
from service.ledger.batch import outcome_unknown
from service.ledger.events import AppendOutcome, append_events
from service.ledger.ledger_end import LedgerEnd

_MAX_ATTEMPTS = 3
_PAUSE_AFTER_LOSS_S = 0.2
_BATCH_BYTES = 4 * 1024 * 1024

Throttle = Callable[[int, int, int], Awaitable[None]]
"""Is called with the last position, the number of events and their characters after they were recorded.

It returns when more events may be appended.
"""


async def no_throttle(_position: int, _events: int, _size: int) -> None:
    """Return at once."""


class RecordedFact(NamedTuple):
    """The position of a fact, and when it was recorded; None if the ledger had it before."""

    position: int
    recorded_at: datetime | None


class BulkAppender:
    """Appends facts. A caller waits for a free connection and for the throttle: that is the back-pressure."""

    def __init__(
        self,
        connections: Connections,
        *,
        max_batch: int,
        on_append: Callable[[int, int], None],
        throttle: Throttle = no_throttle,
        health: AppendHealth | None = None,
        end: LedgerEnd | None = None,
    ) -> None:
        """Take as many connections as batches may be in flight.

        max_batch: events in a batch; on_append: is called after each commit; throttle: is awaited after each append;
        end: what this process knows of the ledger's end. No further attempt is made once half of the time that a
        statement may take has passed.
        """
        self._end = end or LedgerEnd()
        self._connections = connections
        self._max_batch = max_batch
        self._on_append = on_append
        self._throttle = throttle
        self._health = health or AppendHealth()

    async def append(self, drafts: Sequence[Draft]) -> list[RecordedFact | RunfoldError]:
        """Append facts durably. Result i is that of draft i: Invalid or Unavailable where it was not recorded."""
        parts = await asyncio.gather(*(self._bisect(part) for part in self._split(drafts)))
        results = [result for part in parts for result in part]
        last = max((result.position for result in results if isinstance(result, RecordedFact)), default=0)
        await self._throttle(last, len(drafts), sum(len(draft.payload or "") for draft in drafts))
        return results

    def _split(self, drafts: Sequence[Draft]) -> list[list[Draft]]:
        parts: list[list[Draft]] = [[]]
        size = 0
        for draft in drafts:
            size += len(draft.payload or "")
            if len(parts[-1]) >= self._max_batch or (parts[-1] and size > _BATCH_BYTES):
                parts.append([])
                size = len(draft.payload or "")
            parts[-1].append(draft)
        return parts

    async def _bisect(self, drafts: list[Draft]) -> list[RecordedFact | RunfoldError]:
        try:
            return await self._append(drafts)
        except ValueRefused as error:
            if len(drafts) == 1:
                return [Invalid(f"this cannot be recorded: {error.reason}")]
            middle = len(drafts) // 2
            return await self._bisect(drafts[:middle]) + await self._bisect(drafts[middle:])
        except ClockAhead as error:
            return [error] * len(drafts)
        except DatabaseUnavailable as error:
            return [outcome_unknown(error)] * len(drafts)

    async def _append(self, drafts: list[Draft]) -> list[RecordedFact | RunfoldError]:
        """Append drafts; after a lost connection again, as the ledger records no fact twice."""
        if not drafts:
            return []
        began = time.monotonic()
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                with self._health.commit(len(drafts)):
                    appended = await append_events(self._connections, drafts, [None] * len(drafts), self._end)
                break
            except DatabaseUnavailable as error:
                self._health.failed(error)
                took = time.monotonic() - began
                if attempt == _MAX_ATTEMPTS or took >= self._connections.command_timeout_s / 2:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_LOSS_S)
        new = [outcome == AppendOutcome.RECORDED for outcome in appended.outcomes]
        if any(new) or attempt > 1:  # known facts may be those that an attempt before a lost connection recorded
            self._on_append(max(appended.positions), new.count(True))
        return [
            RecordedFact(position, appended.recorded_at if recorded else None)
            for position, recorded in zip(appended.positions, new, strict=True)
        ]
