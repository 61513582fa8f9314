"""Counts events, jobs, datasets and sources in intervals of time. No count reads the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from service.catalog.queries import EVERY, condition
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.binding import Binding
from service.domain.intervals import Interval
from service.ledger.bound_runs import matching_namespaces
from service.ledger.events import LOG
from service.lineage.event_type_counts import QUARTER_S, EventType

_EVENT_TYPES = load("event_types_between")
_ENTRIES = {False: load("count_created_entries", within=EVERY)}
_ENTRIES[True] = load("count_created_entries", within=load_text("within", namespace="e.namespace"))
"""By whether the API key is bound to namespaces."""
_SOURCES = load("count_created_sources")


class Counted(StrEnum):
    """What is counted by the time at which it was first seen."""

    JOBS = "jobs"
    DATASETS = "datasets"
    SOURCES = "sources"


_KINDS = {Counted.JOBS: 0, Counted.DATASETS: 1}


class EventTotals(NamedTuple):
    """The number of OpenLineage events of each type in an interval, by their own time."""

    start: int
    complete: int
    fail: int
    abort: int


class Statistics:
    """Counts what happened. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def event_types(self, intervals: Sequence[Interval], binding: Binding | None) -> list[EventTotals]:
        """Return the numbers of events in each of several adjacent intervals: of the namespaces of a binding."""
        names = None if binding is None else await matching_namespaces(self._connections, binding)
        bounds = [_quarter(interval.begin) for interval in intervals] + [_quarter(intervals[-1].end)]
        rows = await self._connections.fetch(_EVENT_TYPES, LOG, names, bounds)
        totals = {(row["interval"], row["type"]): row["total"] for row in rows}
        types = (EventType.START, EventType.COMPLETE, EventType.FAIL, EventType.ABORT)
        return [
            EventTotals(*(totals.get((number, kind), 0) for kind in types)) for number in range(1, len(intervals) + 1)
        ]

    async def known_until(self, counted: Counted, intervals: Sequence[Interval], binding: Binding | None) -> list[int]:
        """Return how many jobs, datasets or sources had been seen by the end of each interval.

        Jobs and datasets are those of the namespaces of a binding; for a binding, there are no sources, which belong to
        no namespace. Deleted ones count, so that past counts stay.
        """
        if counted is Counted.SOURCES and binding is not None:
            return [0] * len(intervals)
        ends = [interval.end for interval in intervals]
        statement: tuple[Any, ...] = (_SOURCES, ends)
        if counted is not Counted.SOURCES:
            statement = (_ENTRIES[binding is not None], _KINDS[counted], ends, *condition(binding))
        totals = {row["interval"]: row["total"] for row in await self._connections.fetch(*statement)}
        known, result = 0, []
        for number in range(len(intervals)):
            known += totals.get(number, 0)
            result.append(known)
        return result


def _quarter(at: datetime) -> int:
    return int(at.timestamp() // QUARTER_S)
