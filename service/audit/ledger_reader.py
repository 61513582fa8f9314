"""Reads the ledger for auditors: events as text by any filter, a run's history, times to positions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from service.audit import postings
from service.audit.bitmaps import CHUNK
from service.audit.filters import EventFilters, FilteredFields
from service.database.connections import Connections
from service.database.statements import load, load_text
from service.domain.event import Content, Event
from service.domain.run import RunRegisters
from service.ledger import aggregates
from service.ledger.archive_records import PayloadLocation, group_by_file
from service.ledger.events import LOG, Head
from service.payloads.contents import decode_payload

PAGE_BYTES = 4 * 1024 * 1024
"""Bytes of payload, as stored, after which a page ends before its limit."""

PAGE_EVENTS = 1000
"""Events read at once where all are wanted."""

_SAID_PIECE = 500

_TAIL = 20_000
"""Positions looked through at once where nothing is posted yet."""


class TextFormat(StrEnum):
    """How an event is written."""

    JSON = "json"
    CSV = "csv"


CSV_HEADER = (
    "log,position,subject,id,kind,state,transitionedAt,recordedAt,namespace,job,parentRun,source,actor,fact,"
    "requestDigest,payloadDigest,hash,payload"
)


def _lines(which: str) -> dict[TextFormat, str]:
    pick = load_text(f"which_{which}")
    return {form: load("event_lines", which=pick, line=load_text(f"line_{form}")) for form in TextFormat}


_RANGE, _STREAM, _POSITIONS = _lines("range"), _lines("stream"), _lines("positions")
_POSITION_AT, _SETTLE, _KNOWN_AT = load("position_at"), load("settle"), load("known_at")
_HISTORY, _FOLDED_RUN, _COUNT_RANGE = load("history"), load("stored_registers"), load("count_range")
_COUNT_STREAM, _COUNT_RUN = load("count_stream"), load("count_run")
_RECORDED_AFTER = load("recorded_after", line=load_text("line_json"))

_TICK = timedelta(microseconds=1)


class EventLine(NamedTuple):
    """An event as text, and where it lies."""

    position: int
    text: bytes


class PositionRange(NamedTuple):
    """Positions after one and up to another."""

    after: int
    upto: int


class EventLinePage(NamedTuple):
    """Events, and the position up to which there is none besides; `done` where that is the end of the span."""

    lines: list[EventLine]
    covered: int
    done: bool


class RecordedEvent(NamedTuple):
    """An event as text, with what filters look at."""

    position: int
    traits: FilteredFields
    text: bytes


class HistoryEntry(NamedTuple):
    """An event of a run and what its payload says; `missing`: there was one, and the database has it no more."""

    event: Event
    content: Content
    missing: bool


class StoredRegisters(NamedTuple):
    """Registers as they were at a position or before it, None where there are none; the run is folded up to `upto`."""

    standing: RunRegisters | None
    upto: int


class LedgerReader:
    """Every method raises Unavailable when the database does not answer."""

    def __init__(self, connections: Connections, seen: Callable[[int], None] = lambda _position: None) -> None:
        """Take the connections to read with, and who hears up to where the ledger is seen to reach."""
        self._connections = connections
        self._seen = seen

    async def head(self) -> Head:
        """Return where the log ends."""
        async with self._connections.connection() as connection:
            found = await postings.read_ends(connection)
        self._seen(found.position)
        return Head(*found[1:])

    async def span(self, since: datetime | None, until: datetime | None) -> PositionRange:
        """Return the positions recorded from one time (included) until another (not included), as of now."""
        async with self._connections.connection() as connection:
            after = await connection.fetchval(_POSITION_AT, LOG, since - _TICK) if since else 0
            if until:
                return PositionRange(after, await connection.fetchval(_POSITION_AT, LOG, until - _TICK))
            return PositionRange(after, (await postings.read_ends(connection)).position)

    async def known_at(self, at: datetime | None) -> Head:
        """Return where the log ended at a time (None: now); at position 0 where it had not begun.

        An append under way may carry a time that has passed, so it is waited for: asked again, the answer is the same.
        A time to come is answered as now.
        """
        async with self._connections.connection() as connection:
            if at is None:
                await connection.execute(_SETTLE, LOG)
                return Head(*(await postings.read_ends(connection))[1:])
            found = await connection.fetchrow(_KNOWN_AT, LOG, at)
            if found["open"]:
                await connection.execute(_SETTLE, LOG)
                found = await connection.fetchrow(_KNOWN_AT, LOG, at)
        return Head(*found[1:]) if found["hash"] else Head(0, b"", at)

    async def page(
        self, filters: EventFilters, span: PositionRange, limit: int, form: TextFormat = TextFormat.JSON
    ) -> EventLinePage:
        """Return the first events of a filter in a span; fewer than `limit` too where payloads are large."""
        if span.upto <= span.after:
            return EventLinePage([], span.after, done=True)
        async with self._connections.connection() as connection:
            if filters.run is not None:
                return _page(await _fetch(connection, _STREAM[form], filters, span, limit, filters.run), span, limit)
            if filters.any_event:
                wanted = min(limit, span.upto - span.after)  # no gaps: the span is no wider than what is asked for
                return _page(await _fetch(connection, _RANGE[form], filters, span, wanted), span, wanted)
            return await self._filtered(connection, filters, span, limit, form)

    async def _filtered(
        self, connection: Any, filters: EventFilters, span: PositionRange, limit: int, form: TextFormat
    ) -> EventLinePage:  # noqa: ANN401
        found = await postings.read_ends(connection)
        self._seen(found.position)
        edge = min(span.upto, found.posted)
        if span.after >= edge:
            tail = PositionRange(span.after, min(span.after + _TAIL, span.upto))
            page = _page(await _fetch(connection, _RANGE[form], filters, tail, limit), tail, limit)
            return page._replace(done=page.covered >= span.upto)
        positions = await postings.find_positions(connection, filters, span.after, edge, limit)
        if not positions:
            return EventLinePage([], edge, done=edge >= span.upto)
        lines, total = await _fetch(connection, _POSITIONS[form], filters, span, limit, positions)
        posted = PositionRange(span.after, positions[-1] if len(positions) == limit else edge)
        covered = lines[-1].position if len(lines) < total else posted.upto
        return EventLinePage(lines, covered, done=covered >= span.upto)

    async def collect(self, filters: EventFilters, span: PositionRange, limit: int) -> EventLinePage:
        """Return a page that is only short where the span ends or payloads are large."""
        lines: list[EventLine] = []
        size = 0
        while True:
            page = await self.page(filters, span, limit - len(lines))
            lines += page.lines
            size += sum(len(line.text) for line in page.lines)
            if page.done or len(lines) >= limit or size >= PAGE_BYTES:
                return EventLinePage(lines, page.covered, page.done)
            span = PositionRange(page.covered, span.upto)

    async def pages(
        self, filters: EventFilters, span: PositionRange, form: TextFormat = TextFormat.JSON
    ) -> AsyncGenerator[EventLinePage]:
        """Give all events of a filter in a span, reading one page ahead and holding no more than that."""
        reading: asyncio.Task[EventLinePage] | None = None
        try:
            page = await self.page(filters, span, PAGE_EVENTS, form)
            while not page.done:
                reading = asyncio.create_task(
                    self.page(filters, PositionRange(page.covered, span.upto), PAGE_EVENTS, form)
                )
                yield page
                page = await reading
            yield page
        finally:
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def count(self, filters: EventFilters, span: PositionRange) -> int:
        """Return how many events of a filter lie in a span."""
        if filters.any_event:
            return max(0, span.upto - span.after)
        async with self._connections.connection() as connection:
            if filters == EventFilters(run=filters.run):
                return int(await connection.fetchval(_COUNT_RUN, LOG, *span, filters.run))
            if filters.run is not None:
                return int(await connection.fetchval(_COUNT_STREAM, *_counted(filters, span), filters.run))
            return await self._count(connection, filters, span)

    async def _count(self, connection: Any, filters: EventFilters, span: PositionRange) -> int:  # noqa: ANN401
        """Add up whole chunks by their totals, what is left of chunks by its positions, the tail by its rows."""
        found = await postings.read_ends(connection)
        self._seen(found.position)
        edge = min(span.upto, found.posted)
        first, beyond = -(-span.after // CHUNK), edge // CHUNK
        total = 0
        if first < beyond:
            total += await postings.count_events(connection, filters, first, beyond - 1)
            pieces = [PositionRange(span.after, first * CHUNK), PositionRange(beyond * CHUNK, edge)]
        else:
            pieces = [PositionRange(span.after, edge)]
        for piece in pieces:
            if piece.after < piece.upto:
                total += len(await postings.find_positions(connection, filters, *piece, 2 * CHUNK))
        tail = PositionRange(max(span.after, edge), span.upto)
        if tail.after < tail.upto:
            total += await connection.fetchval(_COUNT_RANGE, *_counted(filters, tail))
        return total

    async def recorded_after(self, position: int, limit: int) -> list[RecordedEvent]:
        """Return what was recorded after a position, whatever it is."""
        async with self._connections.connection() as connection:
            rows = await connection.fetch(_RECORDED_AFTER, LOG, position, limit, PAGE_BYTES)
        return [RecordedEvent(row[0], FilteredFields._make(row[1:9]), row[9]) for row in rows]

    async def history(self, run: UUID, upto: int, after: int = 0) -> AsyncGenerator[HistoryEntry]:
        """Give a run's events with what their payloads say, oldest first."""
        while True:
            async with self._connections.connection() as connection:
                rows = await connection.fetch(_HISTORY, LOG, run, after, upto, _SAID_PIECE)
            for row in rows:
                event = Event._make(row[:15])
                missing = row[15] is None and event.payload_digest is not None
                yield HistoryEntry(event, decode_payload(event, row[15]).content, missing)
            if len(rows) < _SAID_PIECE:
                return
            after = rows[-1][0]

    async def stored_registers(self, run: UUID, upto: int) -> StoredRegisters:
        """Return what the catalog knows of a run that was told up to a position, and up to where it is folded."""
        async with self._connections.connection() as connection:
            row = await connection.fetchrow(_FOLDED_RUN, run, upto)
        if row is None or row["registers"] is None:
            return StoredRegisters(None, 0)
        return StoredRegisters(aggregates.unpack_run(row["registers"]), row["folded"])

    async def archived(self, positions: Sequence[int]) -> dict[PayloadLocation, list[int]]:
        """Return which files have the payloads at some positions; those that were erased are in none."""
        return await group_by_file(self._connections, positions)


async def _fetch(
    connection: Any,  # noqa: ANN401
    statement: str,
    filters: EventFilters,
    span: PositionRange,
    limit: int,
    *more: UUID | Sequence[int],
) -> tuple[list[EventLine], int]:
    """Return the lines, and how many there would have been but for the size of their payloads."""
    classes = filters.kinds, filters.states, filters.sources
    names = filters.namespace, filters.job, filters.actor
    rows = await connection.fetch(statement, LOG, *span, limit, PAGE_BYTES, *classes, *names, *more)
    return [EventLine(row[0], row[1]) for row in rows], rows[0][2] if rows else 0


def _page(fetched: tuple[list[EventLine], int], span: PositionRange, limit: int) -> EventLinePage:
    lines, found = fetched
    if lines and (len(lines) < found or found == limit):
        return EventLinePage(lines, lines[-1].position, done=lines[-1].position >= span.upto)
    return EventLinePage(lines, span.upto, done=True)


def _counted(filters: EventFilters, span: PositionRange) -> tuple[Any, ...]:
    classes = filters.kinds, filters.states, filters.sources
    return LOG, *span, *classes, filters.namespace, filters.job, filters.actor
