"""The parameters that select events of the ledger: filters, bounds in time, and the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.audit.event_lines import PositionRange, ReadOrder
from service.audit.filters import EventFilters
from service.audit.ledger_reader import LedgerReader
from service.domain.binding import Binding
from service.domain.event import SOURCES, Kind
from service.errors import Malformed
from service.http.parameters import (
    MAX_INTEGER,
    Location,
    Parameter,
    boolean,
    choices,
    optional_integer,
    run_reference,
    run_states,
    text,
    time,
)
from service.http.route import RequestParameters
from service.ledger import cursors
from service.ledger.cursors import PositionCursor
from service.ledger.events import LOG, Head

START, NOW = "start", "now"

Cursor = PositionCursor | str
"""A place in the ledger, START or NOW."""

_NAMESPACE = text("namespace", "Only events of this namespace.")
_JOB = text("job", "Only events of jobs of this name and of their runs.")
_RUN = run_reference("run", "Only events of this run: its id, or its `runId` in OpenLineage events.")
_KIND = choices("kind", "Only events of these kinds.", Kind)
_STATE = run_states("state", "Only transitions to one of these states.")
_ACTOR = text("actor", "Only events that the API key of this name recorded.")
_SOURCE = choices("source", "Only events from these sources.", SOURCES)

FILTERS: tuple[Parameter[Any], ...] = (_NAMESPACE, _JOB, _RUN, _KIND, _STATE, _ACTOR, _SOURCE)

SINCE = time("since", "Only events recorded at this time or later.")
UNTIL = time("until", "Only events recorded before this time.")
POSITION = optional_integer("position", "Only the event at this position.", 1, MAX_INTEGER)
WITHOUT_PAYLOADS = boolean(
    "withoutPayloads", "`true`: without payloads; an event that has one says `payloadOmitted`. Not for CSV."
)


def _decode_cursor(texts: Sequence[str]) -> Cursor:
    return texts[0] if texts[0] in ("", START, NOW) else cursors.decode_position(texts[0])


CURSOR: Parameter[Cursor] = Parameter(
    name="cursor",
    description="`next` of the page before, `start` or `now`.",
    schema={"type": "string", **cursors.JSON_SCHEMA, "default": START},
    decode=lambda texts: _decode_cursor(texts) or START,
    default=START,
)

STREAM_CURSOR: Parameter[Cursor] = Parameter(
    name="cursor",
    description="Where to begin: `now`, `start`, or an `id` of this stream.",
    schema={"type": "string", **cursors.JSON_SCHEMA, "default": NOW},
    decode=lambda texts: _decode_cursor(texts) or NOW,
    default=NOW,
)

LAST_EVENT_ID: Parameter[Cursor] = Parameter(
    name="Last-Event-ID",
    description="The `id` of the last event that was received. It takes precedence over `cursor`.",
    schema={"type": "string", **cursors.JSON_SCHEMA},
    decode=_decode_cursor,
    default="",
    location=Location.HEADER,
)


def event_filters(parameters: RequestParameters, binding: Binding | None) -> EventFilters:
    """Return the filters of a request, without bounds in time, within the binding of its API key.

    Words are in order: equal filters are the same.
    """
    filters = EventFilters(*(parameters[parameter] for parameter in FILTERS))
    kinds, states, sources = _ordered(filters.kinds), _ordered(filters.states), _ordered(filters.sources)
    return filters._replace(kinds=kinds, states=states, sources=sources, within=binding)


def _ordered(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return words and tuple(sorted(words))


def bounded_event_filters(parameters: RequestParameters, binding: Binding | None) -> EventFilters:
    """Return the filters of a request, within the binding of its API key.

    Raises Malformed where `until` lies before `since`.
    """
    since, until = parameters[SINCE], parameters[UNTIL]
    check_order("since", since, "until", until)
    return event_filters(parameters, binding)._replace(since=since, until=until)


def check_order(first: str, begin: datetime | None, second: str, end: datetime | None) -> None:
    """Raise Malformed for an interval that ends before it begins."""
    if begin is not None and end is not None and end < begin:
        raise Malformed(f"parameter {second} lies before {first}")


def position_after(cursor: Cursor, head: Head) -> int:
    """Return the position after which to read. Raises Malformed for a cursor of another ledger or of the future.

    A cursor beyond the end comes from another ledger: a backup was restored, or the address is wrong. A reader that
    waited there in silence would miss events.
    """
    if cursor == START:
        return 0
    if cursor == NOW:
        return head.position
    assert isinstance(cursor, PositionCursor)  # noqa: S101  the two words are the only texts
    if cursor.log != LOG or cursor.position > head.position:
        raise Malformed(f"the cursor lies behind the end of the ledger, which is position {head.position}")
    return cursor.position


async def selected_positions(
    ledger: LedgerReader,
    filters: EventFilters,
    cursor: Cursor = START,
    order: ReadOrder = ReadOrder.OLDEST_FIRST,
) -> PositionRange:
    """Return the positions that the cursor and the bounds in time leave.

    Newest first, the cursor is the place before which to read, and both words stand for the end of the ledger.
    """
    head = await ledger.head()
    place = position_after(cursor, head)
    after, upto = place, head.position
    if order is ReadOrder.NEWEST_FIRST:
        after, upto = 0, place if isinstance(cursor, PositionCursor) else head.position
    if filters.since is None and filters.until is None:
        return PositionRange(after, upto)
    span = await ledger.span(filters.since, filters.until)
    after = max(after, span.after)
    return PositionRange(after, max(after, min(upto, span.upto)))
