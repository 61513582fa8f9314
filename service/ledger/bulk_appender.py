"""Facts in bulk: appended over connections of their own, so that a stream of events never keeps a callback waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from service.database.connections import Connections
from service.domain.draft import Draft
from service.errors import DatabaseUnavailable, Invalid, RunfoldError, Unavailable, ValueRefused
from service.ledger.events import AppendOutcome, append_events

_ROUNDS = 3
_PAUSE_AFTER_LOSS = 0.2
_BATCH_BYTES = 4 * 1024 * 1024


Throttle = Callable[[int, int, int], Awaitable[None]]
"""Hears up to which position how many events of how many characters were recorded; returns when more may come."""


async def no_throttle(_position: int, _events: int, _size: int) -> None:
    """Hold nobody back."""


class RecordedFact(NamedTuple):
    """Where a fact is: its position, and the time where it was recorded just now (None: it was known already)."""

    position: int
    recorded_at: datetime | None


class BulkAppender:
    """Appends facts; whoever has more than fits waits, which is the back-pressure."""

    def __init__(
        self,
        connections: Connections,
        *,
        max_batch: int,
        on_append: Callable[[int, int], None],
        throttle: Throttle = no_throttle,
    ) -> None:
        """Take as many connections as batches may be in flight, who hears of each, and who may hold back the next."""
        self._connections = connections
        self._max_batch = max_batch
        self._on_append = on_append
        self._throttle = throttle

    async def append(self, drafts: Sequence[Draft]) -> list[RecordedFact | RunfoldError]:
        """Append facts durably; item i of the answer says what became of draft i."""
        parts = await asyncio.gather(*(self._bisect(part) for part in self._split(drafts)))
        results = [one for part in parts for one in part]
        last = max((one.position for one in results if isinstance(one, RecordedFact)), default=0)
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
            return await self._try(drafts)
        except ValueRefused as error:
            if len(drafts) == 1:
                return [Invalid(f"this cannot be recorded: {error}")]
            middle = len(drafts) // 2
            return await self._bisect(drafts[:middle]) + await self._bisect(drafts[middle:])
        except DatabaseUnavailable:
            lost = Unavailable("this may have been recorded or not; it is safe to repeat")
            return [lost] * len(drafts)

    async def _try(self, drafts: list[Draft]) -> list[RecordedFact | RunfoldError]:
        """Append; after a lost connection again, which records nothing twice: facts are known by what they are."""
        if not drafts:
            return []
        for attempt in range(1, _ROUNDS + 1):
            try:
                appended = await append_events(self._connections, drafts, [None] * len(drafts))
                break
            except DatabaseUnavailable:
                if attempt == _ROUNDS:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_LOSS)
        new = [outcome == AppendOutcome.RECORDED for outcome in appended.outcomes]
        if any(new) or attempt > 1:  # after a lost connection what is known may be what the first attempt recorded
            self._on_append(max(appended.positions), new.count(True))
        return [
            RecordedFact(position, appended.recorded_at if recorded else None)
            for position, recorded in zip(appended.positions, new, strict=True)
        ]
