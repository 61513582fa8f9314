"""The projection of the ledger into the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from service.catalog.failures import PageTooLarge
from service.catalog.ledger_projection import LedgerEvent, LedgerProjection, PageLimits
from service.catalog.page_writer import CatalogWriter
from service.catalog.projection import PageChanges, PageProjection
from service.catalog.statements import LIVE_STATEMENTS, CatalogStatements
from service.catalog.summarizer import summarize_next
from service.domain.event import Event, Kind
from service.ledger.events import LOG
from service.ledger.stored_registers import FORMAT

_EVENTS_AT_ONCE = 100
"""Events projected before other tasks of the event loop get their turn."""

_LINEAGE_SOURCES = frozenset({"openlineage", "import"})


class CatalogPage(NamedTuple):
    """A page of the ledger as read: `events` events after position `after` up to `upto`, and what they change.

    `erasures`: its events of kind erased, each with its payload. `has_lineage`: it has OpenLineage events.
    """

    after: int
    upto: int
    events: int
    changes: PageChanges
    erasures: list[tuple[Event, str | None]]
    has_lineage: bool


class CatalogProjection(LedgerProjection[CatalogPage, CatalogStatements]):
    """Projects the ledger into namespaces, jobs and runs."""

    name = "the catalog"
    format = FORMAT
    limits = PageLimits(2000, 1024 * 1024, 16 * 1024 * 1024)
    live_statements = LIVE_STATEMENTS

    async def make_page(self, after: int, upto: int, count: int, events: Iterable[LedgerEvent]) -> CatalogPage:
        """Return what the events of a page change."""
        page = PageProjection()
        erasures = []
        has_lineage = False
        for index, (event, payload) in enumerate(events, 1):
            page.add(event, payload)
            if event.kind == Kind.ERASED:
                erasures.append((event, payload))
            has_lineage = has_lineage or event.source in _LINEAGE_SOURCES
            if index % _EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return CatalogPage(after, upto, count, page.changes(), erasures, has_lineage)

    async def write_changes(self, connection: Any, page: CatalogPage) -> None:  # noqa: ANN401  asyncpg has no types
        """Write what a page with events changes, and move the cursor. Raises PageTooLarge."""
        writer = CatalogWriter(connection, self.statements, page.events)
        if not await writer.write(page.changes, page.after, page.upto):
            raise PageTooLarge(f"the registers of the page from {page.after + 1} to {page.upto} are too large")
        await writer.replay_erasures(page.erasures)
        if page.has_lineage:
            await connection.execute(self.statements.lineage_counts, LOG, page.after, page.upto)

    async def work_when_idle(self) -> bool:
        """Summarize some events of a long run; return whether there may be more."""
        return await summarize_next(self.connections, self.statements.summaries, self._find_archived)
