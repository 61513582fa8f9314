"""Events as text, in pages: the statements that select them, in either order of positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from service.audit.filters import EventFilters
from service.database.statements import load, load_text
from service.domain.event import Subject
from service.ledger.events import LOG

PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of payload, as text, after which a page ends before its limit: it has one event more at most."""


class TextFormat(StrEnum):
    """The text form of an event. OUTLINE: as JSON, without its payload."""

    JSON = "json"
    CSV = "csv"
    OUTLINE = "outline"


CSV_HEADER = (
    "log,position,subject,id,kind,state,transitionedAt,recordedAt,namespace,job,parentRun,source,actor,fact,"
    "requestDigest,payloadDigest,hash,payload"
)


class ReadOrder(StrEnum):
    """The order of positions in which events are read."""

    OLDEST_FIRST = "asc"
    NEWEST_FIRST = "desc"


class PositionRange(NamedTuple):
    """The positions after `after` up to and including `upto`."""

    after: int
    upto: int

    @property
    def empty(self) -> bool:
        """Whether there is no position in it."""
        return self.upto <= self.after

    def first(self, count: int, order: ReadOrder) -> PositionRange:
        """Return the part with the first `count` positions in an order."""
        if order is ReadOrder.OLDEST_FIRST:
            return PositionRange(self.after, min(self.upto, self.after + count))
        return PositionRange(max(self.after, self.upto - count), self.upto)

    def at(self, position: int) -> PositionRange:
        """Return the part with one position: that, or none."""
        return PositionRange(max(self.after, position - 1), max(self.after, min(self.upto, position)))

    def beyond(self, position: int, order: ReadOrder) -> PositionRange:
        """Return the part that is read after a position in an order."""
        if order is ReadOrder.OLDEST_FIRST:
            return PositionRange(position, self.upto)
        return PositionRange(self.after, position - 1)

    def beyond_range(self, read: PositionRange, order: ReadOrder) -> PositionRange:
        """Return the part that is read after another range in an order."""
        if order is ReadOrder.OLDEST_FIRST:
            return PositionRange(read.upto, self.upto)
        return PositionRange(self.after, read.after)


class EventLine(NamedTuple):
    """An event as text, and its position."""

    position: int
    text: bytes


class EventLinePage(NamedTuple):
    """Events of a filter, in the order in which they are read, and the range in which more may follow."""

    lines: list[EventLine]
    rest: PositionRange

    @property
    def done(self) -> bool:
        """Whether no event can follow."""
        return self.rest.empty

    def covered(self, order: ReadOrder) -> int:
        """Return the place for a cursor: oldest first the last position read, newest first the last one that is not."""
        return self.rest.after if order is ReadOrder.OLDEST_FIRST else self.rest.upto


class FetchedLines(NamedTuple):
    """Lines of a statement, and the number of lines that it would have if payloads had no size."""

    lines: list[EventLine]
    found: int

    def page(self, searched: PositionRange, span: PositionRange, limit: int, order: ReadOrder) -> EventLinePage:
        """Return the page of a span that they make; the statement searched one part of it for `limit` lines."""
        if self.lines and (len(self.lines) < self.found or self.found == limit):
            return EventLinePage(self.lines, span.beyond(self.lines[-1].position, order))
        return EventLinePage(self.lines, span.beyond_range(searched, order))


_BOUNDS = {
    ReadOrder.OLDEST_FIRST: {"begin": "t.position > :after", "end": "s.position <= :upto"},
    ReadOrder.NEWEST_FIRST: {"begin": "t.position <= :upto", "end": "s.position > :after"},
}
"""The bounds of a range in the statements: the one that a stream is read from, and the one where reading ends."""

EVENT_FILTERS = load_text("event_filters")

JSON_LINE = load_text("line_json", absent=load_text("payload_archived"))
_FORMS = {
    TextFormat.JSON: {"line": JSON_LINE, "wanted": "true"},
    TextFormat.CSV: {"line": load_text("line_csv"), "wanted": "true"},
    TextFormat.OUTLINE: {"line": load_text("line_json", absent=load_text("payload_omitted")), "wanted": "false"},
}

LineStatements = Mapping[tuple[TextFormat, ReadOrder], str]


def selection(which: str, order: ReadOrder, subject: str = Subject.RUN) -> str:
    """Return the part of a statement that selects events in a way (which_….sql) and in an order.

    `subject`: of the stream, where the events of one are selected.
    """
    bounds = _BOUNDS[order]
    return load_text(f"which_{which}", direction=order, subject=subject, event_filters=EVENT_FILTERS, **bounds)


def _line_statements(which: str, subject: str = Subject.RUN) -> LineStatements:
    return {
        (form, order): load("event_lines", which=selection(which, order, subject), direction=order, **parts)
        for form, parts in _FORMS.items()
        for order in ReadOrder
    }


BY_RANGE, BY_STREAM, BY_POSITIONS = (_line_statements(which) for which in ("range", "stream", "positions"))
"""Statements that select the events of a range, of a run in a range, and those at given positions."""

BY_OWN_STREAM = {subject: _line_statements("stream", subject) for subject in (Subject.JOB, Subject.DATASET)}
"""Statements that select the events of a job, or of a dataset, itself: not those of runs that name it."""


async def fetch_lines(
    connection: Any,  # noqa: ANN401  asyncpg has no types
    statement: str,
    filters: EventFilters,
    span: PositionRange,
    limit: int,
    *more: UUID | Sequence[int],
) -> FetchedLines:
    """Return the lines of a statement: `limit` at most, and fewer where payloads are large.

    `filters.within` must be resolved to names.
    """
    classes = filters.kinds, filters.states, filters.sources
    names = filters.namespace, filters.job, filters.actor, filters.within.names if filters.within else None
    rows = await connection.fetch(statement, LOG, *span, limit, PAGE_BYTES, *classes, *names, *more)
    return FetchedLines([EventLine(row["position"], row["line"]) for row in rows], rows[0]["found"] if rows else 0)
