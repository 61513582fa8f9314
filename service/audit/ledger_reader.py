"""Reads the ledger for auditors: events as text by any filter, a run's history, positions by time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from service.audit import postings
from service.audit.bitmaps import CHUNK
from service.audit.event_lines import (
    BY_POSITIONS,
    BY_RANGE,
    BY_STREAM,
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
from service.domain.event import Content, Event
from service.domain.run import RunRegisters
from service.ledger.archive_records import PayloadLocation, group_by_file
from service.ledger.events import LOG, Head
from service.ledger.rows import event_of
from service.ledger.stored_registers import NewerRegisters, unpack_run
from service.payloads.contents import decode_payload

PAGE_EVENTS = 1000
"""Events in a page where all events of a filter are read."""

_HISTORY_EVENTS = 500
"""Events of a run read at once."""

_HISTORY_BYTES = 16 * 1024 * 1024
"""Bytes of payload, as estimated, after which no more events of a run are read at once."""

UNPOSTED_POSITIONS = 20_000
"""Positions that one page scans where the ledger has no postings yet."""


_POSITION_AT, _SETTLE, _KNOWN_AT = load("position_at"), load("settle"), load("known_at")
_HISTORY, _STORED_REGISTERS, _COUNT_RANGE = (
    load("history", subject="run"),
    load("stored_registers"),
    load("count_range"),
)
_COUNT_STREAM, _COUNT_RUN = load("count_stream"), load("count_run")
_RECORDED_AFTER = load("recorded_after", line=load_text("line_json"))

_TICK = timedelta(microseconds=1)

_filtered_fields = itemgetter(*FilteredFields._fields)


class RecordedEvent(NamedTuple):
    """An event as text, with the fields that filters compare."""

    position: int
    fields: FilteredFields
    text: bytes


class HistoryEntry(NamedTuple):
    """An event of a run and the content of its payload; `missing`: its payload was archived or erased."""

    event: Event
    content: Content
    missing: bool


class StoredRegisters(NamedTuple):
    """The latest registers that the catalog stores for a run up to a position; None where it stores none it can read.

    `upto` is the position up to which the run is projected.
    """

    registers: RunRegisters | None
    upto: int


class LedgerReader:
    """Reads events by position. Every method raises Unavailable if the database cannot be used."""

    def __init__(self, connections: Connections, on_head: Callable[[int], None] | None = None) -> None:
        """Take the connections to read with; `on_head` is called with each ledger head that is read."""
        self.connections = self._connections = connections
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
        async with self._connections.connection() as connection:
            if filters.run is not None:
                found = await fetch_lines(connection, BY_STREAM[form, order], filters, span, limit, filters.run)
                return found.page(span, span, limit, order)
            if filters.any_event:
                limit = min(limit, span.upto - span.after)  # positions have no gaps
                found = await fetch_lines(connection, BY_RANGE[form, order], filters, span, limit)
                return found.page(span, span, limit, order)
            return await self._page_of_filter(connection, filters, span, limit, (form, order))

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
        self, filters: EventFilters, span: PositionRange, limit: int, order: ReadOrder = ReadOrder.OLDEST_FIRST
    ) -> EventLinePage:
        """Return a page with fewer than `limit` events only where the span ends or payloads are large."""
        lines: list[EventLine] = []
        size = 0
        while True:
            page = await self.page(filters, span, limit - len(lines), order=order)
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
        async with self._connections.connection() as connection:
            if filters == EventFilters(run=filters.run):
                return int(await connection.fetchval(_COUNT_RUN, LOG, *span, filters.run))
            if filters.run is not None:
                return int(await connection.fetchval(_COUNT_STREAM, *_count_arguments(filters, span), filters.run))
            return await self._count(connection, filters, span)

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
        return [
            RecordedEvent(row["position"], FilteredFields._make(_filtered_fields(row)), row["line"]) for row in rows
        ]

    async def history(self, run: UUID, upto: int, after: int = 0) -> AsyncGenerator[HistoryEntry]:
        """Yield a run's events after position `after` up to `upto`, with their content, oldest first."""
        while True:
            async with self._connections.connection() as connection:
                rows = await connection.fetch(_HISTORY, LOG, run, after, upto, _HISTORY_EVENTS, _HISTORY_BYTES)
            for row in rows:
                event, payload = event_of(row), row["body"]
                missing = payload is None and event.payload_digest is not None
                yield HistoryEntry(event, decode_payload(event, payload).content, missing)
            if not rows or len(rows) == rows[0]["found"] < _HISTORY_EVENTS:
                return
            after = rows[-1]["position"]

    async def stored_registers(self, run: UUID, upto: int) -> StoredRegisters:
        """Return the registers that the catalog stores for a run up to a position."""
        async with self._connections.connection() as connection:
            row = await connection.fetchrow(_STORED_REGISTERS, run, upto)
        if row is None or row["registers"] is None:
            return StoredRegisters(None, 0)
        try:
            return StoredRegisters(unpack_run(row["registers"]), row["projected"])
        except NewerRegisters:
            return StoredRegisters(None, 0)

    async def locate_archived(self, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
        """Return the files that have the payloads of some positions; erased payloads are in none."""
        return await group_by_file(self._connections, positions)


def _count_arguments(filters: EventFilters, span: PositionRange) -> tuple[Any, ...]:
    classes = filters.kinds, filters.states, filters.sources
    return LOG, *span, *classes, filters.namespace, filters.job, filters.actor
