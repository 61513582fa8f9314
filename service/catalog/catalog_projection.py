"""The projection of the ledger into the catalog, as a Projector drives it."""

from __future__ import annotations

from service.catalog import page_writer
from service.catalog.page_writer import ReadPage, WrittenPage
from service.catalog.summarizer import summarize_next
from service.database.connections import Connections


class CatalogProjection:
    """A projector.Projection."""

    name = "the catalog"
    page_events = page_writer.PAGE_EVENTS

    def __init__(self, connections: Connections) -> None:
        """Take two connections; the caller closes them."""
        self.connections = connections

    async def read_cursor(self) -> int:
        """Return the position up to which the ledger is projected. Raises NewerCatalog."""
        return await page_writer.read_cursor(self.connections)

    async def read_page(self, after: int, events: int) -> ReadPage:
        """Read a page, without a lock."""
        return await page_writer.read_page(self.connections, after, events)

    async def write_page(self, page: ReadPage) -> WrittenPage | None:
        """Write a page; None where the cursor has moved. Raises PageTooLarge and NewerCatalog."""
        return await page_writer.write_page(self.connections, page)

    async def set_aside(self, after: int, error: Exception) -> WrittenPage | None:
        """Leave out the event after a position, or its payload: it cannot be projected."""
        return await page_writer.set_aside(self.connections, after, error)

    async def work_when_idle(self) -> bool:
        """Summarize some events of a long run; return whether there may be more."""
        return await summarize_next(self.connections)
