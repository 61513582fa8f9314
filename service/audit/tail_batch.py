"""Events as the listeners of a tail get them one by one, with their payloads, as they are recorded."""

from __future__ import annotations

from collections.abc import Sequence

from service.audit.event_text import sse_frame
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader, RecordedEvent
from service.audit.tail import Form
from service.domain.event import Kind

_POLL_S = 0.1

_PAUSE_PER_LISTENER_S, _MOST_PAUSE_S = 0.001, 0.25
"""Seconds between two batches: the more listeners there are, the more events a batch has, so that a thousand writes a
second reach all of them. Each write takes as long, however many events it has."""

_PAGE = 1000
"""Most events in a batch."""

_KEPT_BYTES = 16 * 1024 * 1024
_KEPT_BATCHES = 256

_FRAMES_RATIO = 2
"""The frames that a batch keeps for filters take at most this many times its own size; more are made each time."""


class TailBatch:
    """Consecutive events, and their server-sent form by filter, made once for all listeners with that filter."""

    def __init__(self, after: int, upto: int, events: Sequence[RecordedEvent], *, full: bool = False) -> None:
        """Take the events after one position and up to another."""
        self.after = after
        self.upto = upto
        self.full = full
        self.size = sum(len(event.text) for event in events)
        self.erases = any(event.fields.kind == Kind.ERASED for event in events)
        self._events = events
        self._frames: dict[EventFilters, bytes] = {}
        self._frames_size = 0

    async def sse_frames(self, filters: EventFilters, after: int) -> bytes:
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
        return b"".join([sse_frame(event.position, event.text) for event in matching])


async def _read(reader: LedgerReader, position: int) -> TailBatch | None:
    events = await reader.recorded_after(position, _PAGE)
    return TailBatch(position, events[-1].position, events, full=len(events) == _PAGE) if events else None


def _pause_s(listeners: int) -> float:
    return min(_MOST_PAUSE_S, listeners * _PAUSE_PER_LISTENER_S)


WHOLE_EVENTS = Form(_read, _pause_s, _POLL_S, _KEPT_BATCHES, _KEPT_BYTES)
"""Each event is sent as it is recorded."""
