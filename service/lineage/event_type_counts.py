"""Counts the OpenLineage events of a page by their type and time, for GET /stats/lineage-events."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from service.domain.event import Content, Event, RunState, Subject

QUARTER_S = 900
"""Seconds of the intervals in which events are counted: time zones differ from UTC by whole quarters of an hour."""

_SOURCES = frozenset({"openlineage", "import"})


class EventType(IntEnum):
    """The types of OpenLineage events that are counted; the values are stored."""

    START = 0
    COMPLETE = 1
    FAIL = 2
    ABORT = 3


_ENDS = {
    RunState.COMPLETED: EventType.COMPLETE,
    RunState.FAILED: EventType.FAIL,
    RunState.ABORTED: EventType.ABORT,
}


def type_of(event: Event, content: Content) -> EventType | None:
    """Return the type of an event; None for RUNNING, OTHER, and what is not an OpenLineage event of a run."""
    if event.subject != Subject.RUN or event.source not in _SOURCES or event.state is None:
        return None
    return EventType.START if content.starts else _ENDS.get(RunState(event.state))


class EventTypeCounts:
    """The events of a page by namespace (None: of all), quarter of an hour since 1970, and type."""

    def __init__(self) -> None:
        """Begin with no events."""
        self._totals: Counter[tuple[str | None, int, int]] = Counter()

    def add(self, event: Event, content: Content) -> None:
        """Count an event with the content of its payload."""
        kind = type_of(event, content)
        if kind is not None:
            quarter = int(event.transitioned_at.timestamp() // QUARTER_S)
            self._totals[event.namespace, quarter, kind] += 1
            self._totals[None, quarter, kind] += 1

    def columns(self) -> tuple[list[str | None], list[int], list[int], list[int]]:
        """Return namespaces, quarters, types and totals, as add_event_type_counts.sql takes them."""
        rows = sorted(self._totals.items(), key=lambda item: (item[0][0] or "", *item[0][1:]))
        return (
            [namespace for (namespace, _, _), _ in rows],
            [quarter for (_, quarter, _), _ in rows],
            [kind for (_, _, kind), _ in rows],
            [total for _, total in rows],
        )
