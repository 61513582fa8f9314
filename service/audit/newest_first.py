"""Reads the ledger's events from its end backwards, by any filter."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from service.audit import postings
from service.audit.filters import EventFilters
from service.audit.ledger_reader import (
    NEWEST_FIRST,
    PAGE_BYTES,
    PAGE_EVENTS,
    UNPOSTED_POSITIONS,
    EventLine,
    EventLinePage,
    PositionRange,
    TextFormat,
    fetch_lines,
    line_statements,
)
from service.database.connections import Connections

_RANGE, _STREAM, _POSITIONS = (line_statements(which, NEWEST_FIRST) for which in ("range", "stream", "positions"))


class NewestFirstReader:
    """Reads as LedgerReader does, in the other direction.

    `covered` of a page is the last position that remains: the next page has the events up to it.
    """

    def __init__(self, connections: Connections) -> None:
        """Take the connections to read with."""
        self._connections = connections

    async def page(
        self, filters: EventFilters, span: PositionRange, limit: int, form: TextFormat = TextFormat.JSON
    ) -> EventLinePage:
        """Return the last events of a filter in a span: `limit` at most, and fewer where payloads are large."""
        if span.upto <= span.after:
            return EventLinePage([], span.after, done=True)
        async with self._connections.connection() as connection:
            if filters.run is not None:
                fetched = await fetch_lines(connection, _STREAM[form], filters, span, limit, filters.run)
                return _page(fetched, span, limit)
            if filters.any_event:
                limit = min(limit, span.upto - span.after)  # positions have no gaps
                return _page(await fetch_lines(connection, _RANGE[form], filters, span, limit), span, limit)
            return await self._page_of_filter(connection, filters, span, limit, form)

    async def _page_of_filter(
        self,
        connection: Any,  # noqa: ANN401  asyncpg has no types
        filters: EventFilters,
        span: PositionRange,
        limit: int,
        form: TextFormat,
    ) -> EventLinePage:
        edge = max(span.after, (await postings.read_ends(connection)).posted)
        if span.upto > edge:
            unposted = PositionRange(max(edge, span.upto - UNPOSTED_POSITIONS), span.upto)
            page = _page(await fetch_lines(connection, _RANGE[form], filters, unposted, limit), unposted, limit)
            return page._replace(done=page.covered <= span.after)
        positions = await postings.find_last_positions(connection, filters, *span, limit)
        if not positions:
            return EventLinePage([], span.after, done=True)
        lines, total = await fetch_lines(connection, _POSITIONS[form], filters, span, limit, positions)
        searched = positions[-1] - 1 if len(positions) == limit else span.after
        covered = lines[-1].position - 1 if len(lines) < total else searched
        return EventLinePage(lines, covered, done=covered <= span.after)

    async def collect(self, filters: EventFilters, span: PositionRange, limit: int) -> EventLinePage:
        """Return a page with fewer than `limit` events only where the span ends or payloads are large."""
        lines: list[EventLine] = []
        size = 0
        while True:
            page = await self.page(filters, span, limit - len(lines))
            lines += page.lines
            size += sum(len(line.text) for line in page.lines)
            if page.done or len(lines) >= limit or size >= PAGE_BYTES:
                return EventLinePage(lines, page.covered, page.done)
            span = PositionRange(span.after, page.covered)

    async def pages(
        self, filters: EventFilters, span: PositionRange, form: TextFormat = TextFormat.JSON
    ) -> AsyncGenerator[EventLinePage]:
        """Yield all events of a filter in a span."""
        page = await self.page(filters, span, PAGE_EVENTS, form)
        while not page.done:
            yield page
            page = await self.page(filters, PositionRange(span.after, page.covered), PAGE_EVENTS, form)
        yield page


def _page(fetched: tuple[list[EventLine], int], span: PositionRange, limit: int) -> EventLinePage:
    lines, total = fetched
    if lines and (len(lines) < total or total == limit):
        covered = lines[-1].position - 1
        return EventLinePage(lines, covered, done=covered <= span.after)
    return EventLinePage(lines, span.after, done=True)
