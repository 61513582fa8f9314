"""Projects pages of the ledger into datasets and lineage."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from service.catalog.batches import Pauses
from service.catalog.catalog_projection import CatalogProjection
from service.catalog.failures import PageTooLarge
from service.catalog.ledger_projection import LedgerEvent, LedgerProjection, PageLimits
from service.database.connections import Connections
from service.domain.event import Event, Kind
from service.ledger.events import LOG
from service.lineage.changes import LineageChanges
from service.lineage.erasures import LineageEraser
from service.lineage.page_writer import LineageWriter, TooLarge
from service.lineage.projection import PageProjection
from service.lineage.statements import LIVE_STATEMENTS, LineageStatements
from service.lineage.stored import FORMAT

_REGISTER_BYTES = 16 * 1024 * 1024
"""Most bytes of registers of one kind that a page reads; a page of one event reads any."""

_LARGE_EVENT = 256 * 1024
"""Characters of a payload from which it is decoded in a thread, so that the other projection goes on meanwhile."""

_ANY_SIZE = 2**62


class LineagePage(NamedTuple):
    """A page of the ledger as read: `events` events after position `after` up to `upto`, and what they change.

    `erasures`: its events of the kind erased, with their payloads.
    """

    after: int
    upto: int
    events: int
    changes: LineageChanges
    erasures: list[tuple[Event, str | None]]


def projections(connections: Connections) -> tuple[LedgerProjection[Any, Any], ...]:
    """Return the projections of the ledger: into the catalog, and into datasets and lineage."""
    return CatalogProjection(connections), LineageProjection(connections)


class LineageProjection(LedgerProjection[LineagePage, LineageStatements]):
    """Projects the ledger into datasets, their versions, and lineage."""

    name = "datasets and lineage"
    format = FORMAT
    limits = PageLimits(1000, 1024 * 1024, 8 * 1024 * 1024)
    live_statements = LIVE_STATEMENTS

    async def make_page(self, after: int, upto: int, count: int, events: Iterable[LedgerEvent]) -> LineagePage:
        """Return what the events of a page change."""
        page, pauses = PageProjection(), Pauses()
        erasures = []
        is_large = False
        for event, payload in events:
            if payload is None or len(payload) <= _LARGE_EVENT:
                page.add(event, payload)
            else:
                await asyncio.to_thread(page.add, event, payload)
                is_large = True
            if event.kind == Kind.ERASED:
                erasures.append((event, payload))
            await pauses.pause()
        if is_large:
            await asyncio.to_thread(page.changes)
        for _ in page.merge():
            await pauses.pause()
        return LineagePage(after, upto, count, page.changes(), erasures)

    async def write_changes(self, connection: Any, page: LineagePage) -> None:  # noqa: ANN401  asyncpg has no types
        """Write what a page with events changes, and move the cursor. Raises PageTooLarge for one of several events."""
        limit = _REGISTER_BYTES if page.events > 1 else _ANY_SIZE
        writer = LineageWriter(connection, self.statements, limit)
        try:
            await writer.write(page.changes, page.upto)
            if page.erasures:
                await LineageEraser(connection, self.statements, writer, page.upto).remove(page.erasures)
        except TooLarge:
            raise PageTooLarge(f"the page from {page.after + 1} to {page.upto} is too large") from None
        await connection.execute(self.statements.move, LOG, page.after, page.upto, FORMAT)
