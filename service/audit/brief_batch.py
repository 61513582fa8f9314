"""What was recorded, in brief: how many events there are, and what the last of them are about.

PostgreSQL counts the events and writes the text of those that are described, once for all listeners with the same
filter: a thousand events a second are not read one by one only to be counted.
"""

from __future__ import annotations

import asyncio

from service.audit.event_lines import PositionRange
from service.audit.event_text import brief_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.audit.tail import Form
from service.single_flight import begin, has_failed

MOST_DESCRIBED = 250
"""Events of which a message says what they are about."""

_MOST_EVENTS = 10_000
"""Most events of a message: as many are counted within some 10 ms."""

_POLL_S = 0.5

_PAUSE_S, _PAUSE_PER_LISTENER_S, _MOST_PAUSE_S = 1.0, 0.01, 3.0
"""Seconds between two messages: with a few listeners, for each more, and at most. What a second of any number of
listeners costs is then bounded by some 300 writes, and a page shows what happened 3 s ago at the latest."""


class BriefBatch:
    """Consecutive events of which only the positions are known, and the messages about them, made once for each filter.

    A filter that no event matches has no message.
    """

    size = 0
    erases = False  # it has no payloads

    def __init__(self, reader: LedgerReader, after: int, upto: int, *, full: bool) -> None:
        """Take the events after one position and up to another, and what reads them."""
        self.after = after
        self.upto = upto
        self.full = full
        self._reader = reader
        self._messages: dict[tuple[EventFilters, int], asyncio.Task[bytes]] = {}

    async def sse_frames(self, filters: EventFilters, after: int) -> bytes:
        """Return the message about the events of a filter after a position; may be empty. Raises Unavailable."""
        key = filters, max(after, self.after)
        task = self._messages.get(key)
        if task is None or has_failed(task):
            task = self._messages[key] = begin(self._make(*key))
        return await asyncio.shield(task)

    async def _make(self, filters: EventFilters, after: int) -> bytes:
        brief = await self._reader.in_brief(filters, PositionRange(after, self.upto), MOST_DESCRIBED)
        return brief_frame(self.upto, *brief) if brief.events else b""


async def _read(reader: LedgerReader, position: int) -> BriefBatch | None:
    head = (await reader.head()).position
    upto = min(head, position + _MOST_EVENTS)
    return BriefBatch(reader, position, upto, full=upto < head) if upto > position else None


def _pause_s(listeners: int) -> float:
    return min(_MOST_PAUSE_S, _PAUSE_S + listeners * _PAUSE_PER_LISTENER_S)


BRIEFS = Form(_read, _pause_s, _POLL_S, kept_batches=1, kept_bytes=0)
"""It is sent how many events were recorded, and what the last of them are about. The last batch is kept: who is slower
than the others gets one message about all that it missed."""
