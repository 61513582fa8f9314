"""Reads the ledger for auditors: events as text by any filter, a run's history, positions by time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from service.audit import postings
from service.audit.bitmaps import CHUNK
from service.audit.event_lines import (
    BY_OWN_STREAM,
    BY_POSITIONS,
    BY_RANGE,
    BY_STREAM,
    EVENT_FILTERS,
    JSON_LINE,
    PAGE_BYTES,
    EventLine,
    EventLinePage,
    PositionRange,
    ReadOrder,
    TextFormat,
    fetch_lines,
)
from service.audit.filters import EventFilters, FilteredFields
from service.audit.postings import LedgerEnds
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain import timestamps
from service.domain.binding import NOWHERE, Binding
from service.domain.event import Event, Subject
from service.domain.run import RunRegisters
from service.ledger.archive_records import PayloadLocation, group_by_file
from service.ledger.bound_runs import matching_namespaces
from service.ledger.events import LOG, Head
from service.ledger.rows import event_of
from service.ledger.run_summaries import Part, RunSummaries
from service.ledger.stored_registers import NewerRegisters, unpack_run

PAGE_EVENTS = 1000
"""Events in a page where all events of a filter are read."""

UNPOSTED_POSITIONS = 20_000
"""Positions that one page scans where the ledger has no postings yet."""


_POSITION_AT, _SETTLE, _KNOWN_AT = load("position_at"), load("settle"), load("known_at")
_STORED_REGISTERS, _LAST_OF_RUN, _COUNT_RUN = load("stored_registers"), load("last_of_run"), load("count_run")
_COUNT_RANGE, _COUNT_STREAM = (load(name, event_filters=EVENT_FILTERS) for name in ("count_range", "count_stream"))
_RECORDED_AFTER = load("recorded_after", line=JSON_LINE)
_BRIEF = load("brief_of_events", event_filters=EVENT_FILTERS, within=load_text("within", namespace="t.namespace"))

_TICK = timedelta(microseconds=1)

_filtered_fields = itemgetter(*FilteredFields._fields)


class RecordedEvent(NamedTuple):
    """An event as text, with the fields that filters compare."""

    position: int
    fields: FilteredFields
    text: bytes


class EventsInBrief(NamedTuple):
    """How many events there are, how many of them are transitions, and what the last ones are about.

    `latest`: JSON objects in order, with commas between them.
    """

    events: int
    transitions: int
    latest: bytes


class StoredRegisters(NamedTuple):
    """The position up to which a run is projected, 0 if it is not, and its registers there.

    They are None where only an earlier position was asked for, or a newer program wrote them.
    """

    registers: RunRegisters | None
    upto: int


class LedgerReader:
    """Reads events by position. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections, on_head: Callable[[int], None] | None = None) -> None:
        """Take the connections to read with; `on_head` is called with each ledger head that is read."""
        self.connections = self._connections = connections
        self.fetch = connections.fetch
        self._on_head = on_head

    async def head(self) -> Head:
        """Return the ledger head."""
        async with self._connections.connection() as connection:
            return (await self._read_ends(connection)).head

    async def _read_ends(self, connection: Any) -> LedgerEnds:  # noqa: ANN401  asyncpg has no types
        ends = await postings.read_ends(connection)
        if self._on_head is not None:
            self._on_head(ends.head.position)
        return ends

    async def span(self, since: datetime | None, until: datetime | None) -> PositionRange:
        """Return the positions recorded from `since` (included) until `until` (not included); None: no bound."""
        async with self._connections.connection() as connection:
            after = await connection.fetchval(_POSITION_AT, LOG, since - _TICK) if since else 0
            if until and until <= timestamps.now():
                return PositionRange(after, await connection.fetchval(_POSITION_AT, LOG, until - _TICK))
            return PositionRange(after, (await postings.read_ends(connection)).head.position)

    async def known_at(self, at: datetime | None) -> Head:
        """Return the ledger head as it was at a time (None: now); position 0 where nothing was recorded yet.

        An append under way may carry a time that has passed. This waits for it, so that the same question always has
        the same answer. A time that has not passed is treated as now: what is recorded now is known then, even if its
        recorded time is that of a clock that was ahead.
        """
        async with self._connections.connection() as connection:
            if at is None or at > timestamps.now():
                await connection.execute(_SETTLE, LOG)
                return (await postings.read_ends(connection)).head
            row = await connection.fetchrow(_KNOWN_AT, LOG, at)
            if row["open"]:
                await connection.execute(_SETTLE, LOG)
                row = await connection.fetchrow(_KNOWN_AT, LOG, at)
        return Head(row["position"], row["hash"], row["recorded_at"]) if row["hash"] else Head(0, b"", at)

    async def resolve(self, filters: EventFilters) -> EventFilters:
        """Return filters whose `within` has the names of namespaces only: those that recorded events have, as of now.

        Raises Invalid where they are too many.
        """
        within = filters.within
        if within is None or (not within.prefixes and filters.namespace is None):
            return filters
        if filters.namespace is not None:
            names = [filters.namespace] if within.allows(filters.namespace) else []
        else:
            names = await matching_namespaces(self._connections, within)
        return filters._replace(within=Binding(within.patterns, tuple(names), ()))

    async def page(
        self,
        filters: EventFilters,
        span: PositionRange,
        limit: int,
        form: TextFormat = TextFormat.JSON,
        order: ReadOrder = ReadOrder.OLDEST_FIRST,
    ) -> EventLinePage:
        """Return the first events of a filter in a span, in an order: `limit` at most, fewer where payloads are large.

        It may also have fewer, or none, where the rest of the span is not searched yet.
        """
        if span.empty:
            return EventLinePage([], span)
        filters = await self.resolve(filters)
        if filters.within is not None and not filters.within.names:
            return EventLinePage([], span.beyond_range(span, order))
        async with self._connections.connection() as connection:
            if filters.run is not None:
                found = await fetch_lines(connection, BY_STREAM[form, order], filters, span, limit, filters.run)
                return found.page(span, span, limit, order)
            if filters.any_event:
                limit = min(limit, span.upto - span.after)  # positions have no gaps
                found = await fetch_lines(connection, BY_RANGE[form, order], filters, span, limit)
                return found.page(span, span, limit, order)
            return await self._page_of_filter(connection, filters, span, limit, (form, order))

    async def page_of_stream(self, subject: Subject, stream: UUID, span: PositionRange, limit: int) -> EventLinePage:
        """Return the first events of a job, or of a dataset, itself, in a span, like `page`."""
        statement = BY_OWN_STREAM[subject][TextFormat.JSON, ReadOrder.OLDEST_FIRST]
        async with self._connections.connection() as connection:
            found = await fetch_lines(connection, statement, EventFilters(), span, limit, stream)
        return found.page(span, span, limit, ReadOrder.OLDEST_FIRST)

    async def _page_of_filter(
        self,
        connection: Any,  # noqa: ANN401
        filters: EventFilters,
        span: PositionRange,
        limit: int,
        how: tuple[TextFormat, ReadOrder],
    ) -> EventLinePage:
        """Search what comes first in the order: the posted part of the span, or the part that is not posted yet."""
        order = how[1]
        posted = (await self._read_ends(connection)).posted
        parts = PositionRange(span.after, min(span.upto, posted)), PositionRange(max(span.after, posted), span.upto)
        first = parts[0] if order is ReadOrder.OLDEST_FIRST else parts[1]
        if first.empty:
            first = parts[1] if order is ReadOrder.OLDEST_FIRST else parts[0]
        if first.upto > posted:
            scanned = first.first(UNPOSTED_POSITIONS, order)
            found = await fetch_lines(connection, BY_RANGE[how], filters, scanned, limit)
            return found.page(scanned, span, limit, order)
        newest_first = order is ReadOrder.NEWEST_FIRST
        positions = await postings.find_positions(connection, filters, *first, limit, newest_first=newest_first)
        if not positions:
            return EventLinePage([], span.beyond_range(first, order))
        found = await fetch_lines(connection, BY_POSITIONS[how], filters, first, limit, positions)
        if len(found.lines) < found.found:
            return EventLinePage(found.lines, span.beyond(found.lines[-1].position, order))
        if len(positions) == limit:  # the lines may be fewer: postings hold hashes
            return EventLinePage(found.lines, span.beyond(positions[-1], order))
        return EventLinePage(found.lines, span.beyond_range(first, order))

    async def collect(
        self,
        filters: EventFilters,
        span: PositionRange,
        limit: int,
        order: ReadOrder = ReadOrder.OLDEST_FIRST,
        form: TextFormat = TextFormat.JSON,
    ) -> EventLinePage:
        """Return a page with fewer than `limit` events only where the span ends or payloads are large."""
        lines: list[EventLine] = []
        size = 0
        filters = await self.resolve(filters)
        while True:
            page = await self.page(filters, span, limit - len(lines), form, order)
            lines += page.lines
            size += sum(len(line.text) for line in page.lines)
            if page.done or len(lines) >= limit or size >= PAGE_BYTES:
                return page._replace(lines=lines)
            span = page.rest

    async def pages(
        self,
        filters: EventFilters,
        span: PositionRange,
        form: TextFormat = TextFormat.JSON,
        order: ReadOrder = ReadOrder.OLDEST_FIRST,
    ) -> AsyncGenerator[EventLinePage]:
        """Yield all events of a filter in a span, reading one page ahead. At most two pages are in memory."""
        reading: asyncio.Task[EventLinePage] | None = None
        filters = await self.resolve(filters)
        try:
            page = await self.page(filters, span, PAGE_EVENTS, form, order)
            while not page.done:
                reading = asyncio.create_task(self.page(filters, page.rest, PAGE_EVENTS, form, order))
                yield page
                page = await reading
            yield page
        finally:
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def count(self, filters: EventFilters, span: PositionRange) -> int:
        """Return the number of events of a filter in a span."""
        if filters.any_event:
            return max(0, span.upto - span.after)
        filters = await self.resolve(filters)
        if filters.within is not None and not filters.within.names:
            return 0
        async with self._connections.connection() as connection:
            if filters.run is not None and filters == EventFilters(run=filters.run):
                return await self._count_run(connection, filters.run, span)
            if filters.run is not None:
                return int(await connection.fetchval(_COUNT_STREAM, *_count_arguments(filters, span), filters.run))
            return await self._count(connection, filters, span)

    async def _count_run(self, connection: Any, run: UUID, span: PositionRange) -> int:  # noqa: ANN401
        """Count what summaries have, and the events of the other pieces."""
        total = 0
        async with aclosing(RunSummaries(connection.fetch, run).pieces(Part(*span), registers=False)) as pieces:
            async for after, upto, summary, most in pieces:
                if summary is not None:
                    total += summary.events
                else:
                    total += await connection.fetchval(_COUNT_RUN, LOG, after, upto, run, most)
        return total

    async def _count(self, connection: Any, filters: EventFilters, span: PositionRange) -> int:  # noqa: ANN401
        """Count whole chunks by their totals, parts of chunks by their positions, unposted events by their rows."""
        edge = min(span.upto, (await self._read_ends(connection)).posted)
        first, beyond = -(-span.after // CHUNK), edge // CHUNK
        total = 0
        if first < beyond:
            total += await postings.count_events(connection, filters, first, beyond - 1)
            partial_chunks = [PositionRange(span.after, first * CHUNK), PositionRange(beyond * CHUNK, edge)]
        else:
            partial_chunks = [PositionRange(span.after, edge)]
        for part in partial_chunks:
            if part.after < part.upto:
                total += len(await postings.find_positions(connection, filters, *part, 2 * CHUNK))
        unposted = PositionRange(max(span.after, edge), span.upto)
        if unposted.after < unposted.upto:
            total += await connection.fetchval(_COUNT_RANGE, *_count_arguments(filters, unposted))
        return total

    async def recorded_after(self, position: int, limit: int) -> list[RecordedEvent]:
        """Return the first `limit` events after a position; fewer where payloads are large."""
        async with self._connections.connection() as connection:
            rows = await connection.fetch(_RECORDED_AFTER, LOG, position, limit, PAGE_BYTES)
        return list(map(_recorded_event, rows))

    async def in_brief(self, filters: EventFilters, span: PositionRange, most: int) -> EventsInBrief:
        """Return what the events of a filter in a span are about: of the last `most` of them, without payloads."""
        within = filters.within or NOWHERE
        classes = filters.kinds, filters.states, filters.sources, filters.namespace, filters.job, filters.actor
        bound = filters.within is not None
        rows = await self.fetch(_BRIEF, LOG, *span, most, filters.run, bound, *classes, within.names, within.prefixes)
        events, transitions, latest = rows[0]
        return EventsInBrief(events, transitions, (latest or "").encode())

    async def last_of_run(self, run: UUID, upto: int, limit: int = 1) -> list[Event]:
        """Return the last events of a run up to a position, newest first."""
        return [event_of(row) for row in await self.fetch(_LAST_OF_RUN, LOG, run, upto, limit)]

    async def stored_registers(self, run: UUID, upto: int) -> StoredRegisters:
        """Return up to which position a run is projected, and its registers there."""
        rows = await self.fetch(_STORED_REGISTERS, run, upto)
        if not rows:
            return StoredRegisters(None, 0)
        registers, projected = rows[0]["registers"], rows[0]["projected"]
        try:
            return StoredRegisters(None if registers is None else unpack_run(registers), projected)
        except NewerRegisters:
            return StoredRegisters(None, projected)

    async def locate_archived(self, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
        """Return the files that have the payloads of some positions; erased payloads are in none."""
        return await group_by_file(self._connections, positions)


def _recorded_event(row: Any) -> RecordedEvent:  # noqa: ANN401  asyncpg has no types
    return RecordedEvent(row["position"], FilteredFields._make(_filtered_fields(row)), row["line"])


def _count_arguments(filters: EventFilters, span: PositionRange) -> tuple[Any, ...]:
    classes = filters.kinds, filters.states, filters.sources
    within = filters.within.names if filters.within else None
    return LOG, *span, *classes, filters.namespace, filters.job, filters.actor, within
