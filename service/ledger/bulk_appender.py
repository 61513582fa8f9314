"""Appends facts in bulk, over connections of their own: a stream of events does not delay commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from service.database.connections import Connections
from service.domain.binding import Binding
from service.domain.draft import Draft
from service.domain.event import Subject
from service.errors import ClockAhead, DatabaseUnavailable, Invalid, OutsideNamespaces, RunfoldError, ValueRefused
from service.ledger.append_health import AppendHealth
from service.ledger.batch import outcome_unknown
from service.ledger.bound_runs import Ownership, read_ownership
from service.ledger.events import AppendOutcome, append_events
from service.ledger.ledger_end import LedgerEnd
from service.ledger.stream_order import StreamOrder

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

    async def append(
        self, drafts: Sequence[Draft], binding: Binding | None = None
    ) -> list[RecordedFact | RunfoldError]:
        """Append facts durably, those of a run in their order.

        Result i is that of draft i: Invalid or Unavailable where it was not recorded.

        `binding`: the namespaces that the API key is bound to, in which all drafts are. OutsideNamespaces is the result
        for an event of a run that exists in other namespaces only.
        """
        order = StreamOrder()
        parts = await asyncio.gather(*(self._in_order(part, binding, order) for part in self._split(drafts)))
        results = [result for part in parts for result in part]
        last = max((result.position for result in results if isinstance(result, RecordedFact)), default=0)
        await self._throttle(last, len(drafts), sum(len(draft.payload or "") for draft in drafts))
        return results

    async def _in_order(
        self, drafts: list[Draft], binding: Binding | None, order: StreamOrder
    ) -> list[RecordedFact | RunfoldError]:
        async with order.turn(draft.stream for draft in drafts):
            return await self._bisect(drafts, binding)

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

    async def _bisect(self, drafts: list[Draft], binding: Binding | None) -> list[RecordedFact | RunfoldError]:
        try:
            if binding is not None:
                return await self._append_within(drafts, binding)
            facts = await self._append(drafts, [None] * len(drafts))
            return [fact or outcome_unknown() for fact in facts]  # a fact is never lost
        except ValueRefused as error:
            if len(drafts) == 1:
                return [Invalid(f"this cannot be recorded: {error.reason}")]
            middle = len(drafts) // 2
            return await self._bisect(drafts[:middle], binding) + await self._bisect(drafts[middle:], binding)
        except ClockAhead as error:
            return [error] * len(drafts)
        except DatabaseUnavailable as error:
            return [outcome_unknown(error)] * len(drafts)

    async def _append_within(self, drafts: list[Draft], binding: Binding) -> list[RecordedFact | RunfoldError]:
        """Append drafts, except those of runs that exist in other namespaces only.

        An event of a run that does not exist is appended as a command that expects no event before it, so that of two
        keys that report the first event of a run, the second one is refused. It is looked at once more then.
        """
        results: dict[int, RecordedFact | RunfoldError] = {}
        waiting = dict(enumerate(drafts))
        for _ in range(_MAX_ATTEMPTS):
            runs = [draft.stream for draft in waiting.values() if draft.subject is Subject.RUN]
            owned = await read_ownership(self._connections, runs, binding)
            appending: dict[int, int | None] = {}
            for index, draft in waiting.items():
                ownership = owned.get(draft.stream, Ownership.OWN)
                if ownership is Ownership.OTHER:
                    results[index] = OutsideNamespaces.of_run(str(draft.stream))
                else:
                    appending[index] = 0 if ownership is Ownership.NEW else None
            appended = await self._append([waiting[index] for index in appending], list(appending.values()))
            lost = [index for index, result in zip(appending, appended, strict=True) if result is None]
            results |= {index: result for index, result in zip(appending, appended, strict=True) if result is not None}
            waiting = {index: waiting[index] for index in lost}
            if not waiting:
                break
        return [results.get(index) or outcome_unknown() for index in range(len(drafts))]

    async def _append(self, drafts: list[Draft], expected: list[int | None]) -> list[RecordedFact | None]:
        """Append drafts; after a lost connection again, as the ledger records no fact twice.

        The result of a draft whose stream did not end at the position that is expected of it is None.
        """
        if not drafts:
            return []
        began = time.monotonic()
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            try:
                with self._health.commit(len(drafts)):
                    appended = await append_events(self._connections, drafts, expected, self._end)
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
            RecordedFact(position, appended.recorded_at if recorded else None) if position else None
            for position, recorded in zip(appended.positions, new, strict=True)
        ]
